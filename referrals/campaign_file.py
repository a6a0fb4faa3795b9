"""Loader of campaign files in YAML 1.2 or JSON, with errors that contain the field and the line."""

from collections.abc import Mapping
from difflib import get_close_matches
from typing import Any, get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails
from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import Node
from ruamel.yaml.reader import ReaderError

from referrals.domain.campaign import Campaign
from referrals.domain.syntax_messages import describe_yaml_error
from referrals.domain.validation_messages import field_path, validation_message
from referrals.errors import CampaignError, FieldError
from referrals.yaml_nodes import NodeReader, Path

MAX_CHARACTERS = 256 * 1024
"""Maximum length of a campaign file in characters."""


def load_campaign(text: str) -> Campaign:
    """Load a campaign from the text of its file.

    Raises:
        CampaignError: the text is too long, is not YAML, has aliases, tags or duplicate keys, or is not a campaign.
    """
    reader = NodeReader()
    data = reader.read(_compose(text))
    if reader.problems:
        raise CampaignError(
            [FieldError(field_path(path), message, line) for path, line, message in reader.problems]
        )
    try:
        return Campaign.model_validate(data)
    except ValidationError as error:
        raise CampaignError(_errors(error, reader.lines)) from error


def campaign_errors(error: ValidationError) -> list[FieldError]:
    """List the errors of a campaign that did not come from a file, without lines."""
    return _errors(error, {})


def _compose(text: str) -> Node:
    if len(text) > MAX_CHARACTERS:
        raise _unreadable(None, f"is longer than {MAX_CHARACTERS} characters")
    try:
        node: Node | None = YAML(typ="safe", pure=True).compose(text)
    except ReaderError as error:
        before = text[: error.position]
        raise _unreadable(before.count("\n") + 1, "has a control character") from error
    except MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else None
        raise _unreadable(line, f"is not YAML: {describe_yaml_error(error.problem)}") from error
    except YAMLError as error:
        raise _unreadable(None, f"is not YAML: {describe_yaml_error(str(error))}") from error
    except RecursionError as error:
        raise _unreadable(None, "is nested too deeply") from error
    if node is None:
        raise _unreadable(None, "is empty")
    return node


def _unreadable(line: int | None, message: str) -> CampaignError:
    return CampaignError([FieldError("", f"the file {message}", line)])


def _errors(error: ValidationError, lines: Mapping[Path, int]) -> list[FieldError]:
    return [
        FieldError(field_path(item["loc"]), _message(item), _line(item["loc"], lines))
        for item in error.errors(include_url=False, include_input=False)
    ]


def _line(path: Path, lines: Mapping[Path, int]) -> int | None:
    """Return the line of the field, or of its nearest existing parent if the field is missing."""
    return next(
        (lines[path[:end]] for end in range(len(path), -1, -1) if path[:end] in lines), None
    )


def _message(error: ErrorDetails) -> str:
    suggestion = _suggestion(error["loc"]) if error["type"] == "extra_forbidden" else ""
    return validation_message(error) + suggestion


def _suggestion(path: Path) -> str:
    *parents, key = path
    model: type[BaseModel] | None = Campaign
    for name in parents:
        if model and isinstance(name, str):
            model = _model_of_key(model, name)
    near = get_close_matches(str(key), model.model_fields if model else [], n=1)
    return f"; did you mean {near[0]}?" if near else ""


def _model_of_key(model: type[BaseModel], key: str) -> type[BaseModel] | None:
    fields = model.model_fields.items()
    found = (field.annotation for name, field in fields if key in (name, field.alias))
    return _model_in(next(found, None))


def _model_in(annotation: Any) -> type[BaseModel] | None:
    """Return the model in a field's type, such as the item type of a tuple or the type of an optional field."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next(filter(None, map(_model_in, get_args(annotation))), None)
