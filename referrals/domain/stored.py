"""Models of what is stored, read without today's checks of input.

A stricter check in a later release, such as a currency that is no longer in use, never makes a stored row unreadable.
"""

import json
from collections.abc import Callable
from functools import cache
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError
from pydantic_core import SchemaValidator, core_schema

M = TypeVar("M", bound=BaseModel)

_CONSTRAINTS = {
    "ge",
    "gt",
    "le",
    "lt",
    "max_length",
    "min_length",
    "multiple_of",
    "pattern",
    "strict",
    "tz_constraint",
}
_OPAQUE = {"cls", "metadata", "ref", "schema_ref", "serialization"}
"""Keys of a core schema that hold no schema to be changed."""


def read_stored(model: type[M], data: Any) -> M:
    """Build the model from stored JSON data. A check that fails today is skipped; conversions are made.

    Raises:
        ValidationError: a required field is missing, or a value has another JSON type.
    """
    try:
        return model.model_validate(data)
    except ValidationError:
        built: M = _tolerant_validator(model).validate_python(data)
        return built


def read_stored_json(model: type[M], text: str) -> M:
    """Build the model from stored JSON text; see `read_stored`."""
    return read_stored(model, json.loads(text))


@cache
def _tolerant_validator(model: type[BaseModel]) -> SchemaValidator:
    # Without prebuilt validators: those of the models have all checks.
    return SchemaValidator(_tolerant(model.__pydantic_core_schema__), _use_prebuilt=False)


def _tolerant(schema: Any) -> Any:
    """Return a core schema in which constraints are left out, and checks that fail leave the value as it is."""
    if isinstance(schema, list | tuple):
        return type(schema)(map(_tolerant, schema))
    if not isinstance(schema, dict):
        return schema
    kind = schema.get("type")
    if kind == "literal":
        return core_schema.any_schema()
    changed = {
        key: value if key in _OPAQUE else _tolerant(value)
        for key, value in schema.items()
        if not (key in _CONSTRAINTS and isinstance(kind, str))
    }
    if "extra_fields_behavior" in changed:
        changed["extra_fields_behavior"] = "ignore"
    if "extra_behavior" in changed:
        changed["extra_behavior"] = "ignore"
    if isinstance(kind, str) and kind.startswith("function-") and "function" in schema:
        changed["function"] = _tolerant_function(schema["function"], wraps=kind == "function-wrap")
    return changed


def _tolerant_function(function: dict[str, Any], *, wraps: bool) -> dict[str, Any]:
    """Return the validator function of a core schema with errors replaced by the value as it was."""
    check: Callable[..., Any] = function["function"]

    def tolerant(value: Any, *arguments: Any) -> Any:
        try:
            return check(value, *arguments)
        except (ValueError, AssertionError):
            return arguments[0](value) if wraps else value

    # Pydantic counts the parameters of a function: it gives `info` to one that takes it.
    return function | {"function": tolerant}
