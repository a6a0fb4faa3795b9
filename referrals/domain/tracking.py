"""The `track` step of journeys: send an event to a provider, whose own rules then earn from it."""

import re
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, StringConstraints

from referrals.domain.campaign_fields import described
from referrals.domain.rule_variables import RECORDS, VARIABLES
from referrals.domain.rules import RuleContext
from referrals.domain.strict_model import StrictModel

EventProvider = Literal["voucherify", "talon_one"]
"""Providers that take events."""

CONTACT_DETAILS = frozenset({"name", "email"})
"""Fields of people that are not sent to providers."""

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,63}")


def _sent_fields(kind: str) -> str:
    """Return a regular expression of the fields of a variable of this kind that may be sent."""
    if kind == "map":
        return r"[^.]+"
    withheld = CONTACT_DETAILS if kind == "Person" else frozenset()
    simple = (name for name, type_ in RECORDS[kind].items() if type_ not in ("map", "list(Item)"))
    return "|".join(name for name in simple if name not in withheld)


_PATH = re.compile(
    "|".join(
        rf"{variable}\.({_sent_fields(kind)})" for variable, kind in VARIABLES["journey"].items()
    )
)


def _available_path(path: str) -> str:
    if not _PATH.fullmatch(path):
        raise ValueError(
            f"must be a value such as order.amount or event.plan, not {path or 'empty'}; "
            "names and email addresses are not sent"
        )
    return path


def _attribute_name(name: str) -> str:
    if not _NAME.fullmatch(name):
        raise ValueError("must be 1 to 64 letters, digits or _, and start with a letter")
    return name


AttributeName = Annotated[
    str,
    AfterValidator(_attribute_name),
    described(
        "AttributeName",
        "1 to 64 letters, digits and `_`; the first is a letter.",
        "plan",
        pattern=f"^{_NAME.pattern}$",
    ),
]
AttributePath = Annotated[
    str,
    AfterValidator(_available_path),
    described(
        "AttributePath",
        "A [variable](#variables-of-conditions) with a field. Names and email addresses are not sent.",
        "order.amount",
        pattern=f"^({_PATH.pattern})$",
    ),
]


class TrackStep(StrictModel):
    """Send an event of the advocate or the friend to a provider, with attributes for its rules."""

    provider: EventProvider
    """Provider that gets the event."""
    event: Annotated[
        str,
        StringConstraints(strip_whitespace=True, min_length=1, max_length=64),
        Field(pattern=r"\S", examples=["friend_bought"]),
    ]
    """Name of the custom event at the provider."""
    to: Literal["advocate", "friend"]
    """Customer whose event it is."""
    attributes: dict[AttributeName, AttributePath] = Field(
        {}, max_length=20, examples=[{"amount": "order.amount"}]
    )
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
