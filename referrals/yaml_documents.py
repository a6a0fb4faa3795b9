"""Documents in YAML 1.2 or JSON that people write, with errors that contain the field and the line."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeVar, get_args

from pydantic import BaseModel, TypeAdapter, ValidationError
from pydantic_core import ErrorDetails
from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import Node
from ruamel.yaml.reader import ReaderError

from referrals.domain.suggestions import did_you_mean
from referrals.domain.syntax_messages import describe_yaml_error
from referrals.domain.validation_messages import field_path, validation_message
from referrals.errors import FieldError, InvalidInputError
from referrals.yaml_nodes import NodeReader, Path

MAX_CHARACTERS = 256 * 1024
"""Maximum length of a document in characters."""

T = TypeVar("T")


@dataclass(frozen=True)
class YamlDocument:
    """The value of a document, with the line of each path; without lines if it did not come from a file."""

    value: Any
    lines: Mapping[Path, int]

    @classmethod
    def parse(cls, text: str, error_type: type[InvalidInputError]) -> "YamlDocument":
        """Parse the text of a document.

        Raises:
            InvalidInputError: of `error_type`; the text is too long, is not YAML, or has aliases, tags or duplicate keys.
        """
        reader = NodeReader()
        try:
            value = reader.read(_compose(text))
        except _UnreadableError as error:
            raise error_type([error.field_error]) from error
        if reader.problems:
            raise error_type(
                [
                    FieldError(field_path(path), problem, line)
                    for path, line, problem in reader.problems
                ]
            )
        return cls(value, reader.lines)

    def validate(self, kind: type[T], error_type: type[InvalidInputError]) -> T:
        """Return the value as a model, or a list of models.

        Raises:
            InvalidInputError: of `error_type`; names each mistake.
        """
        try:
            return TypeAdapter(kind).validate_python(self.value)
        except ValidationError as error:
            raise error_type(self.errors(error, kind)) from error

    def errors(self, error: ValidationError, kind: Any) -> list[FieldError]:
        """List the mistakes with their lines; unknown keys with the known key that is most like them."""
        return [
            self.error(item["loc"], _message(item, kind))
            for item in error.errors(include_url=False, include_input=False)
        ]

    def error(self, path: Path, message: str) -> FieldError:
        """Return an error at the line of the path, or of its nearest parent that exists."""
        ends = range(len(path), -1, -1)
        line = next((self.lines[path[:end]] for end in ends if path[:end] in self.lines), None)
        return FieldError(field_path(path), message, line)


class _UnreadableError(Exception):
    """Text that is not one YAML document."""

    def __init__(self, line: int | None, problem: str) -> None:
        super().__init__(problem)
        self.field_error = FieldError("", f"the file {problem}", line)


def _compose(text: str) -> Node:
    if len(text) > MAX_CHARACTERS:
        raise _UnreadableError(None, f"is longer than {MAX_CHARACTERS} characters")
    try:
        node: Node | None = YAML(typ="safe", pure=True).compose(text)
    except ReaderError as error:
        before = text[: error.position]
        raise _UnreadableError(before.count("\n") + 1, "has a control character") from error
    except MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else None
        raise _UnreadableError(
            line, f"is not YAML: {describe_yaml_error(error.problem)}"
        ) from error
    except YAMLError as error:
        raise _UnreadableError(None, f"is not YAML: {describe_yaml_error(str(error))}") from error
    except RecursionError as error:
        raise _UnreadableError(None, "is nested too deeply") from error
    if node is None:
        raise _UnreadableError(None, "is empty")
    return node


def _message(error: ErrorDetails, kind: Any) -> str:
    hint = _key_suggestion(error["loc"], kind) if error["type"] == "extra_forbidden" else ""
    return validation_message(error) + hint


def _key_suggestion(path: Path, kind: Any) -> str:
    *parents, key = path
    model = _model_in(kind)
    for name in parents:
        if model and isinstance(name, str):
            model = _model_of_key(model, name)
    return did_you_mean(str(key), model.model_fields if model else [])


def _model_of_key(model: type[BaseModel], key: str) -> type[BaseModel] | None:
    fields = model.model_fields.items()
    found = (field.annotation for name, field in fields if key in (name, field.alias))
    return _model_in(next(found, None))


def _model_in(annotation: Any) -> type[BaseModel] | None:
    """Return the model in a field's type, such as the item type of a tuple or the type of an optional field."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next(filter(None, map(_model_in, get_args(annotation))), None)
