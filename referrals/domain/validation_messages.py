"""Readable messages for pydantic's validation errors."""

from collections.abc import Iterable, Mapping
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from referrals.errors import FieldError

_TIME = "must be a time with its offset, such as 2026-03-04T10:00:00Z"
_MAPPING = "must be a mapping of keys to values"
_INTEGER = "must be a whole number"
_SLUG = "must be 1 to 63 lower-case letters, digits, - or _, and start with a letter or digit"

_MESSAGES = {
    "missing": "is required",
    "extra_forbidden": "unknown field",
    "string_type": "must be text",
    "string_unicode": "contains an unpaired surrogate",
    "int_type": _INTEGER,
    "int_parsing": _INTEGER,
    "int_parsing_size": _INTEGER,
    "int_from_float": _INTEGER,
    "bool_type": "must be true or false",
    "tuple_type": "must be a list",
    "model_type": _MAPPING,
    "model_attributes_type": _MAPPING,
    "dict_type": _MAPPING,
    "literal_error": "must be {expected}",
    "enum": "must be {expected}",
    "none_required": "must be left out",
    "greater_than": "must be more than {gt}",
    "greater_than_equal": "must be at least {ge}",
    "less_than_equal": "must be at most {le}",
    "string_too_short": "must not be empty",
    "string_too_long": "must have at most {max_length} characters",
    "too_long": "must have at most {max_length} entries",
    "datetime_type": _TIME,
    "datetime_from_date_parsing": "is not a valid date and time: {error}",
    "datetime_parsing": "is not a valid date and time: {error}",
    "timezone_aware": "must have its offset, such as Z or +01:00",
}
_PATTERNS = {
    "campaign": _SLUG,
    "pool": _SLUG,
    "locale": "must be a language tag such as pt-BR",
}
"""Message for a field whose regular expression does not match, by field name."""


def field_errors(error: ValidationError) -> list[FieldError]:
    """Each mistake with its field, such as `data.order.amount`."""
    return [
        FieldError(field_path(item["loc"]), validation_message(item))
        for item in error.errors(include_url=False)
    ]


def validation_message(error: ErrorDetails | Mapping[str, Any]) -> str:
    """Return the message of an error, to be shown after the field's path."""
    kind, context = error["type"], error.get("ctx") or {}
    if kind == "value_error":
        return str(context["error"])
    if kind == "string_pattern_mismatch" and error["loc"][-1] in _PATTERNS:
        return _PATTERNS[error["loc"][-1]]
    if kind not in _MESSAGES:  # the library's own text, which may contain braces
        return str(error["msg"])
    return _MESSAGES[kind].format(**context)


def field_path(path: Iterable[int | str]) -> str:
    """Format a path as `data.order.items[0].sku`. The path of the whole value is empty."""
    return "".join(f"[{key}]" if isinstance(key, int) else f".{key}" for key in path).lstrip(".")
