"""Front matter of a template file: YAML between two lines of `---` with the message's purpose, events and parts of channels."""

import re
from collections.abc import Iterator, Sequence
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, Field, StringConstraints, model_validator

from referrals.channels.message_content import Purpose
from referrals.domain.event_names import OUTBOUND
from referrals.domain.strict_model import StrictModel

MAX_BODY_LENGTH = 1024
"""Characters of a WhatsApp message's text, Meta's limit."""
MAX_DATA_FIELDS = 50
"""Number of data fields for the operator's endpoint."""

_PLACEHOLDER = re.compile(r"\{\{\s*(\w+)\s*\}\}")


class Placeholder(StrictModel):
    """Value of one placeholder of a WhatsApp template: a text, a currency with its amount, or a date and time."""

    text: str | None = None
    currency: str | None = None
    amount: str | None = None
    date_time: str | None = None

    @model_validator(mode="before")
    @classmethod
    def _from_string(cls, value: Any) -> Any:
        return {"text": value} if isinstance(value, str) else value

    @model_validator(mode="after")
    def _check_kind(self) -> Self:
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
        raise ValueError("must be a language in Meta's notation, such as de or en_US")
    return language


class WhatsAppTemplate(StrictModel):
    """A template that Meta has approved: its name, language and text at Meta, and the values of its placeholders."""

    template: Annotated[str, AfterValidator(_meta_name)]
    language: Annotated[str, AfterValidator(_meta_language)] | None = None
    text: Annotated[str, StringConstraints(max_length=MAX_BODY_LENGTH, strip_whitespace=True)]
    header: Annotated[tuple[Placeholder, ...], Field(max_length=1)] = ()
    body: tuple[Placeholder, ...] = ()
    buttons: Annotated[tuple[str, ...], Field(max_length=2)] = ()

    @model_validator(mode="after")
    def _check_placeholders(self) -> Self:
        found = sorted(set(placeholders_in(self.text)))
        if found != sorted(str(index + 1) for index in range(len(self.body))):
            raise ValueError(
                f"has {len(self.body)} parameters in its body, but its text has "
                f"{' '.join(f'{{{{{name}}}}}' for name in found) or 'no placeholders'}"
            )
        before, *_, after = _PLACEHOLDER.split(self.text) if found else (self.text, self.text)
        if not (before and after):
            raise ValueError("must not begin or end its text with a placeholder: Meta rejects that")
        return self


def placeholders_in(text: str) -> list[str]:
    """Return the names of the placeholders (`{{1}}`) in a text in Meta's notation, in order."""
    return _PLACEHOLDER.findall(text)


def fill_placeholders(text: str, values: Sequence[str]) -> str:
    return _PLACEHOLDER.sub(lambda match: values[int(match[1]) - 1], text)


def _field_names(fields: dict[str, str]) -> dict[str, str]:
    for name in fields:
        if not re.fullmatch(r"[a-z][a-z0-9_]{0,62}", name):
            raise ValueError(f"has the name {name[:80]!r}; use lower-case letters, digits and _")
    return fields


class HttpTemplate(StrictModel):
    """Short text, and fields of any names, for the operator's endpoint. Without `text` it gets the plain text."""

    text: str | None = None
    data: Annotated[dict[str, str], AfterValidator(_field_names)] = Field(
        {}, max_length=MAX_DATA_FIELDS
    )


def _event_names(names: tuple[str, ...]) -> tuple[str, ...]:
    for name in names:
        if name not in OUTBOUND:
            raise ValueError(
                f"contains the unknown event {name}; use {', '.join(sorted(OUTBOUND))}"
            )
    return names


class FrontMatter(StrictModel):
    """Front matter of a template file. A message is a marketing message unless it says otherwise."""

    purpose: Purpose = "marketing"
    events: Annotated[tuple[str, ...], AfterValidator(_event_names)] = ()
    """Events whose journeys may send the message; `template check` renders it with each of them."""
    whatsapp: WhatsAppTemplate | None = None
    http: HttpTemplate | None = None


def expressions(front_matter: FrontMatter) -> Iterator[tuple[tuple[int | str, ...], str]]:
    """Yield every expression of the front matter with its path."""
    if front_matter.whatsapp:
        yield from _whatsapp_expressions(front_matter.whatsapp)
    if front_matter.http and front_matter.http.text is not None:
        yield ("http", "text"), front_matter.http.text
    if front_matter.http:
        for name, value in front_matter.http.data.items():
            yield ("http", "data", name), value


def _whatsapp_expressions(
    whatsapp: WhatsAppTemplate,
) -> Iterator[tuple[tuple[int | str, ...], str]]:
    for part in ("header", "body"):
        for index, placeholder in enumerate(getattr(whatsapp, part)):
            for kind in sorted(placeholder.model_fields_set):
                yield ("whatsapp", part, index, kind), getattr(placeholder, kind)
    for index, button in enumerate(whatsapp.buttons):
        yield ("whatsapp", "buttons", index), button


def block_name(path: tuple[int | str, ...]) -> str:
    """Return the name of the Jinja block into which the loader turns an expression of the front matter."""
    return "_".join(map(str, path))
