"""The files of messages: Jinja and, between two lines of `---` at their top, what YAML tells about the message."""

import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from jinja2 import FileSystemLoader
from jinja2.exceptions import TemplateSyntaxError
from pydantic import AfterValidator, Field, StringConstraints, ValidationError, model_validator
from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError

from referrals.channels.message_content import Purpose
from referrals.domain.event_names import OUTBOUND
from referrals.domain.strict_model import StrictModel
from referrals.domain.validation_messages import field_path, validation_message
from referrals.yaml_nodes import NodeReader

MAX_BODY = 1024
"""Characters of a WhatsApp message's text, Meta's limit."""

_FRONT = re.compile(r"---[ \t]*\r?\n(?P<yaml>.*?)^---[ \t]*(?:\r?\n|\Z)", re.DOTALL | re.MULTILINE)
_PLACE = re.compile(r"\{\{\s*(\w+)\s*\}\}")


class Placeholder(StrictModel):
    """What fills one place of a WhatsApp template: text, or a currency with its amount, or a date and time."""

    text: str | None = None
    currency: str | None = None
    amount: str | None = None
    date_time: str | None = None

    @model_validator(mode="before")
    @classmethod
    def _text_by_itself(cls, value: Any) -> Any:
        return {"text": value} if isinstance(value, str) else value

    @model_validator(mode="after")
    def _of_one_kind(self) -> Self:
        if set(self.model_fields_set) not in ({"text"}, {"currency", "amount"}, {"date_time"}):
            raise ValueError(
                'must be text in quotes, such as "{{ recipient.name }}", or have '
                "currency and amount, or date_time"
            )
        return self

    @property
    def kind(self) -> Literal["text", "currency", "date_time"]:
        return "text" if self.text is not None else "currency" if self.currency else "date_time"


def _meta_name(name: str) -> str:
    if not re.fullmatch(r"[a-z0-9_]{1,512}", name):
        raise ValueError("must be lower-case letters, digits and _, as Meta names templates")
    return name


def _meta_language(language: str) -> str:
    if not re.fullmatch(r"[a-z]{2,3}(_[A-Z]{2,4})?", language):
        raise ValueError("must be a language as Meta writes it, such as de or en_US")
    return language


class WhatsAppTemplate(StrictModel):
    """A template that Meta has approved: its name and language over there, its words, and what fills them."""

    template: Annotated[str, AfterValidator(_meta_name)]
    language: Annotated[str, AfterValidator(_meta_language)] | None = None
    text: Annotated[str, StringConstraints(max_length=MAX_BODY, strip_whitespace=True)]
    header: Annotated[tuple[Placeholder, ...], Field(max_length=1)] = ()
    body: tuple[Placeholder, ...] = ()
    buttons: Annotated[tuple[str, ...], Field(max_length=2)] = ()

    @model_validator(mode="after")
    def _a_parameter_for_each_place(self) -> Self:
        places = sorted(set(placeholders_in(self.text)))
        if places != sorted(str(number + 1) for number in range(len(self.body))):
            raise ValueError(
                f"has {len(self.body)} parameters in its body, but its text has "
                f"{' '.join(f'{{{{{place}}}}}' for place in places) or 'no places'}"
            )
        before, *_, after = _PLACE.split(self.text) if places else (self.text, self.text)
        if not (before and after):
            raise ValueError("must not begin or end its text with a place: Meta refuses that")
        return self


def placeholders_in(text: str) -> list[str]:
    """The names of the `{{1}}` in a text as Meta has it, in order."""
    return _PLACE.findall(text)


def fill_placeholders(text: str, values: Sequence[str]) -> str:
    """The text as it is read."""
    return _PLACE.sub(lambda place: values[int(place[1]) - 1], text)


def _events(names: tuple[str, ...]) -> tuple[str, ...]:
    for name in names:
        if name not in OUTBOUND:
            raise ValueError(f"has {name}, which is no event: {', '.join(sorted(OUTBOUND))}")
    return names


class FrontMatter(StrictModel):
    """What a file tells about its message. Where it does not say that it is a service message, it is none."""

    purpose: Purpose = "marketing"
    events: Annotated[tuple[str, ...], AfterValidator(_events)] = ()
    """Those whose journeys may send it, with which it is checked."""
    whatsapp: WhatsAppTemplate | None = None


class TemplateLoader(FileSystemLoader):
    """Loads the Jinja of a file, and keeps its front.

    Every expression of the front becomes a block, on the line where it stands: it is compiled with the file, and no
    value ever meets YAML.
    """

    def __init__(self, folders: Sequence[Path]) -> None:
        super().__init__(folders, encoding="utf-8-sig", followlinks=True)
        self._fronts: dict[str, FrontMatter] = {}

    def get_source(self, environment: Any, template: str) -> tuple[str, str, Callable[[], bool]]:
        source, filename, up_to_date = super().get_source(environment, template)
        found = _FRONT.match(source)
        if source.startswith("---") and not found:
            problem = "there is no second line of --- to end what the first begins"
            raise TemplateSyntaxError(problem, 1, template, filename)
        if found:
            front, lines = _read(found["yaml"], template, filename)
            source = _as_blocks(front, lines, found[0].count("\n")) + source[found.end() :]
        self._fronts[filename] = front if found else FrontMatter()
        return source, filename, up_to_date

    def front(self, filename: str | None) -> FrontMatter:
        """Of a file that has been loaded."""
        return self._fronts[str(filename)]


def expressions(whatsapp: WhatsAppTemplate) -> Iterator[tuple[tuple[int | str, ...], str]]:
    """Every expression of a WhatsApp message, with its path in the front."""
    for part in ("header", "body"):
        for number, place in enumerate(getattr(whatsapp, part)):
            for kind in sorted(place.model_fields_set):
                yield (part, number, kind), getattr(place, kind)
    for number, button in enumerate(whatsapp.buttons):
        yield ("buttons", number), button


def block_name(path: tuple[int | str, ...]) -> str:
    """The block that an expression of the front becomes."""
    return "_".join(map(str, ("whatsapp", *path)))


def _as_blocks(front: FrontMatter, lines: dict[tuple[int | str, ...], int], height: int) -> str:
    # Blocks count wherever they stand; inside of this condition they are not printed in place.
    text = ["{% if false %}", *[""] * (height - 2), "{% endif %}"]
    for path, expression in expressions(front.whatsapp) if front.whatsapp else ():
        line = lines.get(("whatsapp", *path)) or lines["whatsapp", *path[:2]]
        text[line] += (
            f"{{% block {block_name(path)} %}}{' '.join(expression.split())}{{% endblock %}}"
        )
    return "\n".join(text) + "\n"


def _read(
    text: str, name: str, filename: str
) -> tuple[FrontMatter, dict[tuple[int | str, ...], int]]:
    reader = NodeReader()
    try:
        node = YAML(typ="safe", pure=True).compose(text)
        data = reader.read(node) if node else {}
        for path, line, problem in reader.problems:
            hint = "; an expression stands in quotes" if "keys" in problem else ""
            raise TemplateSyntaxError(
                f"{field_path(path)}: {problem}{hint}".lstrip(": "), line + 1, name, filename
            )
        return FrontMatter.model_validate(data), reader.lines
    except MarkedYAMLError as error:
        line = error.problem_mark.line + 2 if error.problem_mark else 1
        raise TemplateSyntaxError(
            f"this is not YAML: {error.problem}", line, name, filename
        ) from error
    except YAMLError as error:
        raise TemplateSyntaxError(f"this is not YAML: {error}", 1, name, filename) from error
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        path = first["loc"]
        line = next(
            (reader.lines[path[:n]] for n in range(len(path), -1, -1) if path[:n] in reader.lines),
            0,
        )
        problem = f"{field_path(path)}: {validation_message(first)}".lstrip(": ")
        raise TemplateSyntaxError(problem, line + 1, name, filename) from error
