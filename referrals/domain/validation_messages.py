"""Readable messages for pydantic's validation errors."""

from collections.abc import Iterable, Mapping
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from referrals.errors import FieldError

_TIME = "must be a time with its offset, such as 2026-03-04T10:00:00Z"
_INVALID_TIME = "is not a valid date and time, such as 2026-03-04T10:00:00Z"
_MAPPING = "must be a mapping of keys to values"
_INTEGER = "must be a whole number"
_NUMBER = "must be a number"
_LIST = "must be a list"
_DURATION = "must be an ISO 8601 duration, such as P14D or PT12H"
_URL = "must be a URL, such as https://shop.example"
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
    "float_type": _NUMBER,
    "float_parsing": _NUMBER,
    "finite_number": _NUMBER,
    "decimal_type": _NUMBER,
    "decimal_parsing": _NUMBER,
    "bool_type": "must be true or false",
    "bool_parsing": "must be true or false",
    "tuple_type": _LIST,
    "list_type": _LIST,
    "set_type": _LIST,
    "model_type": _MAPPING,
    "model_attributes_type": _MAPPING,
    "dict_type": _MAPPING,
    "mapping_type": _MAPPING,
    "dataclass_type": _MAPPING,
    "invalid_key": "must have text keys",
    "literal_error": "must be {expected}",
    "enum": "must be {expected}",
    "none_required": "must be left out",
    "greater_than": "must be more than {gt}",
    "greater_than_equal": "must be at least {ge}",
    "less_than": "must be less than {lt}",
    "less_than_equal": "must be at most {le}",
    "multiple_of": "must be a multiple of {multiple_of}",
    "string_too_short": "must not be empty",
    "string_too_long": "must have at most {max_length} characters",
    "string_pattern_mismatch": "must match the pattern {pattern}",
    "string_not_ascii": "must have ASCII characters only",
    "too_short": "must have at least {min_length} entries",
    "too_long": "must have at most {max_length} entries",
    "json_invalid": "is not JSON",
    "json_type": "must be JSON",
    "union_tag_invalid": "must be {expected_tags}",
    "union_tag_not_found": "must have {discriminator}",
    "url_type": _URL,
    "url_parsing": _URL,
    "url_scheme": "must be a URL with {expected_schemes}",
    "url_too_long": "must have at most {max_length} characters",
    "time_delta_type": _DURATION,
    "time_delta_parsing": _DURATION,
    "datetime_type": _TIME,
    "datetime_from_date_parsing": _INVALID_TIME,
    "datetime_parsing": _INVALID_TIME,
    "datetime_object_invalid": _INVALID_TIME,
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
    if kind == "too_short" and context["min_length"] == 1:
        return "must not be empty"
    return _MESSAGES.get(kind, "is not valid").format(**context)


def field_path(path: Iterable[int | str]) -> str:
    """Format a path as `data.order.items[0].sku`. The path of the whole value is empty."""
    return "".join(f"[{key}]" if isinstance(key, int) else f".{key}" for key in path).lstrip(".")
