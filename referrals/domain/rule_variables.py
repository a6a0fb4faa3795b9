"""Variables that conditions can read, with the fields of each, their types, and which of them may be absent.

A field that may be absent has a type that ends in "?". `docs/conditions.md` describes all of them.
"""

from collections.abc import Mapping
from typing import Any, Literal

Owner = Literal["rule", "journey"]
"""Kind of owner of a condition: a rule of a conversion, or a journey."""

Fields = Mapping[str, str]

RECORDS: dict[str, Fields] = {
    "Order": {
        "id": "string",
        "amount": "double",
        "currency": "string",
        "items": "list(Item)",
        "attributes": "map",
    },
    "Item": {
        "sku": "string?",
        "name": "string?",
        "quantity": "double",
        "amount": "double?",
        "attributes": "map",
    },
    "Person": {
        "id": "string",
        "name": "string?",
        "email": "string?",
        "phone": "string?",
        "locale": "string?",
    },
    "Code": {"code": "string"},
    "Referral": {"id": "string", "state": "string", "code": "string"},
    "Campaign": {"id": "string"},
    "Counts": {"confirmed": "int64"},
    "Milestone": {"name": "string", "at": "int64"},
    "Reward": {
        "side": "string",
        "tier": "string",
        "type": "string",
        "amount": "double",
        "currency": "string",
        "milestone": "bool",
    },
    "Awaited": {"happened": "bool"},
}
"""Fields of each record with their types. The keys of a `map` are free-form and not checked."""

_OF_RULES = {
    "order": "Order",
    "event": "map",
    "friend": "Person",
    "advocate": "Person",
    "counts": "Counts",
    "campaign": "Campaign",
    "referral": "Code",
}
_OF_JOURNEYS = _OF_RULES | {
    "referral": "Referral",
    "milestone": "Milestone",
    "reward": "Reward",
    "awaited": "Awaited",
}
VARIABLES: dict[Owner, dict[str, str]] = {"rule": _OF_RULES, "journey": _OF_JOURNEYS}
"""Variables of each kind of condition with their types."""


def optional_fields(owner: Owner) -> list[str]:
    """List the paths of the fields that may be absent, such as `friend.locale` and `order.items[].sku`."""
    return [path for name, kind in VARIABLES[owner].items() for path in _optional(name, kind)]


def _optional(path: str, kind: str) -> list[str]:
    if kind.startswith("list("):
        return _optional(f"{path}[]", kind[5:-1])
    if kind.endswith("?"):
        return [path]
    fields = RECORDS.get(kind, {})
    return [found for name in fields for found in _optional(f"{path}.{name}", fields[name])]


def with_numbers(order: Mapping[str, Any]) -> dict[str, Any]:
    """Return an order as conditions read it: amounts and quantities are numbers, and what is not said is absent."""
    items = [_with_numbers(item) for item in order.get("items", ())]
    return _with_numbers(order) | {"items": items}


def _with_numbers(record: Mapping[str, Any]) -> dict[str, Any]:
    given = {name: value for name, value in record.items() if value not in (None, "")}
    return given | {name: float(given[name]) for name in ("quantity", "amount") if name in given}
