"""Parts of JSON Schemas that relate the keys of one mapping, for the `json_schema_extra` of models.

A key whose value is null counts as left out, as it does for the models.
"""

from typing import Any

JsonSchema = dict[str, Any]

_NULL: JsonSchema = {"type": "null"}


def all_of(*parts: JsonSchema) -> JsonSchema:
    return {"allOf": [*parts]}


def given(*keys: str) -> JsonSchema:
    """Require all of the keys."""
    return {"required": [*keys], "properties": {key: {"not": _NULL} for key in keys}}


def absent(*keys: str) -> JsonSchema:
    """Refuse all of the keys."""
    return {"properties": dict.fromkeys(keys, _NULL)}


def exactly_one(*keys: str) -> JsonSchema:
    return {"oneOf": [given(key) for key in keys]}


def has_entries(key: str) -> JsonSchema:
    """Require a list or mapping with entries."""
    return {"required": [key], "properties": {key: {"minItems": 1, "minProperties": 1}}}


def when(key: str, value: Any, *parts: JsonSchema) -> JsonSchema:
    """Require all parts where the key has the value."""
    return {"if": has(key, value), "then": all_of(*parts)}


def has(key: str, value: Any) -> JsonSchema:
    """Require that the key has the value."""
    return {"required": [key], "properties": {key: {"const": value}}}


def neither(*parts: JsonSchema) -> JsonSchema:
    """Refuse what meets one of the parts."""
    return {"not": {"anyOf": [*parts]}}
