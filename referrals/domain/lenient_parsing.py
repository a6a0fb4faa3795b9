"""Lenient parsing: a field that no decision needs is left out with a warning, instead of refusing the whole input.

The models say what is valid; what they refuse is left out, except for the fields of `NEEDED`.
"""

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from referrals.domain.event_fields import MAX_JSON_DEPTH
from referrals.domain.validation_messages import field_path, validation_message
from referrals.errors import FieldError, InvalidInputError

M = TypeVar("M", bound=BaseModel)
Path = tuple[int | str, ...]

NEEDED = frozenset(
    [
        "specversion",
        "id",
        "source",
        "type",
        "data",
        "campaign",
        "customer",
        "from",
        "friend",
        "order",
        "refund",
        "amount",
        "currency",
    ]
)
"""Names of the fields without which nothing can be decided, at any level."""
MAX_WARNINGS = 100
MAX_TEXT_LENGTH = 200


@dataclass(frozen=True)
class FieldWarning:
    """A field that was left out, or that is of less use than it should be."""

    field: str
    message: str

    def as_dict(self) -> dict[str, str]:
        return {"field": self.field, "message": self.message}


def parse_leniently(
    parse: Callable[[Any], M],
    value: Any,
    error_type: type[InvalidInputError],
    needed: Collection[str] = NEEDED,
) -> tuple[M, list[FieldWarning]]:
    """Parse a JSON value. Return the result, and a warning for each field that was left out.

    Raises:
        InvalidInputError: of `error_type`; a needed field is missing or cannot be understood.
    """
    value = without_blanks(value)
    left_out: list[FieldWarning] = []
    while True:
        try:
            return parse(value), left_out
        except ValidationError as error:
            errors = error.errors(include_url=False)
        unknown = [item for item in errors if item["type"] == "extra_forbidden"]
        others = (item for item in errors if item["type"] != "extra_forbidden")
        refused = [item for item in others if _is_needed(needed, item)]
        if refused:
            raise error_type([_field_error(value, item) for item in (*refused, *unknown)])
        messages = {_path(item): validation_message(item) for item in errors}
        left_out += [_warning(_as_sent(value, path), text) for path, text in messages.items()]
        # The last entries of a list come first.
        deleted = [_delete(value, path) for path in sorted(messages, reverse=True)]
        if not any(deleted):  # the next round would be the same
            raise error_type([_field_error(value, item) for item in errors])


def summarise(warnings: list[FieldWarning]) -> list[FieldWarning]:
    """Return one warning for each list or mapping if there are too many fields to name."""
    if len(warnings) <= MAX_WARNINGS:
        return warnings
    parts = {_list_or_mapping(warning.field) for warning in warnings}
    return [FieldWarning(part, "has parts that were left out") for part in sorted(parts)]


def _list_or_mapping(field: str) -> str:
    return field.partition("[")[0] if "[" in field else field.rpartition(".")[0]


def without_blanks(value: Any, depth: int = 0) -> Any:
    """Return a copy of a JSON value without keys and entries that are null or blank: these mean "not said"."""
    if depth > MAX_JSON_DEPTH:  # is refused as a whole
        return value
    if isinstance(value, dict):
        return {
            key: without_blanks(item, depth + 1)
            for key, item in value.items()
            if not _is_blank(item)
        }
    if isinstance(value, list):
        return _Entries(
            (index, without_blanks(item, depth + 1))
            for index, item in enumerate(value)
            if not _is_blank(item)
        )
    return value


class _Entries(list[Any]):
    """Entries of a list that have not been left out, with their indexes in the list as it was sent."""

    def __init__(self, entries: Iterable[tuple[int, Any]]) -> None:
        self.indexes: list[int] = []
        for index, item in entries:
            self.indexes.append(index)
            self.append(item)

    def __delitem__(self, index: Any) -> None:
        super().__delitem__(index)
        del self.indexes[index]


def _as_sent(value: Any, path: Path) -> Path:
    """Return the path in the input as it was sent, where entries that were left out have an index too."""
    sent: list[int | str] = []
    for part in path:
        has_part = _has(value, part)
        is_entry = has_part and isinstance(value, _Entries) and isinstance(part, int)
        sent.append(value.indexes[part] if is_entry else part)
        value = value[part] if has_part else None
    return tuple(sent)


def _is_blank(value: Any) -> bool:
    if isinstance(value, list):
        return bool(value) and all(map(_says_nothing, value))
    return _says_nothing(value)


def _says_nothing(value: Any) -> bool:
    return value is None or (isinstance(value, str) and not value.strip())


def _is_needed(names: Collection[str], error: ErrorDetails) -> bool:
    """Check whether the field is one of these names, or missing; a line that lacks something is left out."""
    path = error["loc"]
    is_line = any(isinstance(part, int) for part in path)
    return all(part in names for part in path) or (error["type"] == "missing" and not is_line)


def _path(error: ErrorDetails) -> Path:
    """Return the path of the field at fault; an invalid key is named by its text."""
    path = error["loc"]
    return path[:-1] if path[-1] == "[key]" else path


def _warning(path: Path, message: str) -> FieldWarning:
    """Return the warning in characters that can be stored, whatever keys the input has."""
    field = "".join(filter(str.isprintable, field_path(path)))
    return FieldWarning(field[:MAX_TEXT_LENGTH], f"{message[:MAX_TEXT_LENGTH]}; left out")


def _field_error(value: Any, error: ErrorDetails) -> FieldError:
    return FieldError(field_path(_as_sent(value, error["loc"])), validation_message(error))


def _delete(value: Any, path: Path) -> bool:
    """Delete the field at the path, or what it is missing from; with it a list of which nothing is left.

    Returns whether anything was deleted.
    """
    found = []
    for part in path:
        if not _has(value, part):
            break
        found.append((value, part))
        value = value[part]
    deleted = bool(found)
    while found:
        parent, part = found.pop()
        del parent[part]
        if parent or isinstance(parent, dict):
            break
    return deleted


def _has(value: Any, part: int | str) -> bool:
    if isinstance(value, list):
        return isinstance(part, int) and part < len(value)
    return isinstance(value, dict) and part in value
