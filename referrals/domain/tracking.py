"""The `track` step of journeys: send an event to a provider, whose own rules then earn from it."""

import re
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, StringConstraints

from referrals.domain.rule_variables import RECORDS, VARIABLES
from referrals.domain.rules import RuleContext
from referrals.domain.strict_model import StrictModel

EventProvider = Literal["voucherify", "talon_one"]
"""Providers that take events."""

CONTACT_DETAILS = frozenset({"name", "email"})
"""Fields of people that are not sent to providers."""

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,63}", re.ASCII)


def _available_path(path: str) -> str:
    variable, _, field = path.partition(".")
    kind = VARIABLES["journey"].get(variable)
    if kind == "map" and field and "." not in field:
        return path
    fields = RECORDS.get(kind or "", {})
    sent = {
        name for name, type_ in fields.items() if type_.rstrip("?") not in ("map", "list(Item)")
    }
    if kind == "Person":
        sent -= CONTACT_DETAILS
    if field not in sent:
        raise ValueError(
            f"must be a value such as order.amount or event.plan, not {path or 'empty'}; "
            "names and email addresses are not sent"
        )
    return path


def _attribute_name(name: str) -> str:
    if not _NAME.fullmatch(name):
        raise ValueError("must be 1 to 64 letters, digits or _, and start with a letter")
    return name


AttributeName = Annotated[str, AfterValidator(_attribute_name)]
AttributePath = Annotated[str, AfterValidator(_available_path)]


class TrackStep(StrictModel):
    """Send an event of the advocate or the friend to a provider, with attributes for its rules."""

    provider: EventProvider
    event: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=64)]
    """Name of the custom event at the provider."""
    to: Literal["advocate", "friend"]
    """Customer whose event it is."""
    attributes: dict[AttributeName, AttributePath] = Field(default_factory=dict, max_length=20)
    """Attributes of the event by name, and the values of the journey that they have."""

    def values(self, context: RuleContext) -> dict[str, Any]:
        """Return the attributes that have a value: text, a number or true or false."""
        found = {}
        for name, path in self.attributes.items():
            variable, _, field = path.partition(".")
            value = context.get(variable, {}).get(field)
            if isinstance(value, str | int | float):
                found[name] = value
        return found
