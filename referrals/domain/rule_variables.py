"""Variables that conditions can read, with the fields of each, their types, and which of them may be absent.

A field that may be absent has a type that ends in "?". `docs/campaign.md` lists all of them.
"""

from collections.abc import Mapping
from typing import Any, Literal, NamedTuple

Owner = Literal["rule", "journey"]
"""Kind of owner of a condition: a rule of a conversion, or a journey."""

Fields = Mapping[str, str]


class ValueSpec(NamedTuple):
    """A field of a record or a variable: its type, its description, and when it is absent."""

    type: str
    description: str
    absent: str = ""


_ABSENT_ORDER = "if the event had no order"
_NOT_SAID = "if no event said it"

FIELDS: dict[str, dict[str, ValueSpec]] = {
    "Order": {
        "id": ValueSpec("string", "The shop's id of the order."),
        "amount": ValueSpec("double", "Amount in the currency's major unit, less refunds."),
        "currency": ValueSpec("string", "ISO 4217 code."),
        "items": ValueSpec("list(Item)", "Order lines; empty if the event had none."),
        "attributes": ValueSpec("map", "The shop's own data about the order, not checked."),
    },
    "Item": {
        "sku": ValueSpec("string?", "Article number.", _NOT_SAID),
        "name": ValueSpec("string?", "Name of the article.", _NOT_SAID),
        "quantity": ValueSpec("double", "Quantity; 1 if the event had none."),
        "amount": ValueSpec("double?", "Amount of the line.", _NOT_SAID),
        "attributes": ValueSpec("map", "The shop's own data about the line, not checked."),
    },
    "Person": {
        "id": ValueSpec("string", "Your id of the customer."),
        "name": ValueSpec("string?", "Name.", _NOT_SAID),
        "email": ValueSpec("string?", "Email address.", _NOT_SAID),
        "phone": ValueSpec("string?", "Phone number.", _NOT_SAID),
        "locale": ValueSpec("string?", "Language tag, such as `de-AT`.", _NOT_SAID),
    },
    "Code": {"code": ValueSpec("string", "The code of the referral.")},
    "Referral": {
        "id": ValueSpec("string", "Our id of the referral, `ref_…`."),
        "state": ValueSpec("string", "State of the referral, such as `confirmed`."),
        "code": ValueSpec("string", "The code of the referral."),
    },
    "Campaign": {"id": ValueSpec("string", "Identifier of the campaign.")},
    "Counts": {"confirmed": ValueSpec("int64", "Confirmed conversions of the advocate.")},
    "Milestone": {
        "name": ValueSpec("string", "Name of the tier."),
        "at": ValueSpec("int64", "Number of conversions at which it is reached."),
    },
    "Reward": {
        "side": ValueSpec("string", "`friend` or `advocate`."),
        "tier": ValueSpec("string", "Name of the tier; empty for a reward of no tier."),
        "type": ValueSpec("string", "`points`, `gift_credit` or `coupon`."),
        "amount": ValueSpec("double", "Points, or the amount in the currency's major unit."),
        "repaid": ValueSpec("double", "Part of the amount that repaid what the customer owed."),
        "currency": ValueSpec("string", "ISO 4217 code; empty for points and coupons."),
        "milestone": ValueSpec("bool", "True for the reward of a milestone."),
    },
    "Awaited": {"happened": ValueSpec("bool", "False if the time-out came first.")},
}
"""Fields of each record. The keys of a `map` are free-form and not checked."""

RECORDS: dict[str, Fields] = {
    record: {name: field.type for name, field in fields.items()}
    for record, fields in FIELDS.items()
}
"""Types of the fields of each record."""

_OF_RULES = {
    "order": ValueSpec("Order", "The order of the conversion.", _ABSENT_ORDER),
    "event": ValueSpec("map", "`type` and all fields of the event's `data`, as they were sent."),
    "friend": ValueSpec("Person", "The friend."),
    "advocate": ValueSpec("Person", "The advocate."),
    "counts": ValueSpec("Counts", "Counts of the advocate in this campaign."),
    "campaign": ValueSpec("Campaign", "The campaign."),
    "referral": ValueSpec("Code", "The referral."),
}
_OF_JOURNEYS = _OF_RULES | {
    "referral": ValueSpec("Referral", "The referral."),
    "milestone": ValueSpec("Milestone", "The milestone of the event."),
    "reward": ValueSpec("Reward", "The reward of the event."),
    "awaited": ValueSpec(
        "Awaited", "Result of the last `wait` for an event.", "before such a step"
    ),
}
DESCRIBED_VARIABLES: dict[Owner, dict[str, ValueSpec]] = {
    "rule": _OF_RULES,
    "journey": _OF_JOURNEYS,
}
VARIABLES: dict[Owner, dict[str, str]] = {
    owner: {name: variable.type for name, variable in variables.items()}
    for owner, variables in DESCRIBED_VARIABLES.items()
}
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
