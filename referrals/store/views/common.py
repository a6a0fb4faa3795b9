"""Building blocks of all views."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Annotated, Any, Generic, TypeVar, get_args

from pydantic import WithJsonSchema

from referrals.domain.field_docs import Described
from referrals.domain.journey_steps import MessageChannel
from referrals.domain.states import RewardState

T = TypeVar("T")


def one_of(values: Iterable[str]) -> WithJsonSchema:
    """Describe a text from the database as one of these values, without checking it."""
    return WithJsonSchema({"type": "string", "enum": list(values)})


AmountText = Annotated[str, WithJsonSchema({"type": "string", "pattern": r"^-?[0-9]+(\.[0-9]+)?$"})]
CurrencyCode = Annotated[str, WithJsonSchema({"type": "string", "pattern": "^[A-Z]{3}$"})]
RewardStateText = Annotated[str, one_of(RewardState)]
RewardType = Annotated[str, one_of(("points", "gift_credit", "coupon"))]
AssetType = Annotated[str, one_of(("points", "gift_credit"))]
Side = Annotated[str, one_of(("friend", "advocate"))]
ChannelText = Annotated[str, one_of(get_args(MessageChannel))]
PurposeText = Annotated[str, one_of(("service", "marketing"))]


_UTC = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?\+00:00", re.ASCII)


def with_zulu_times(value: Any) -> Any:
    """Return the JSON value with every UTC time in it written with a Z, as in all responses."""
    match value:
        case str() if _UTC.fullmatch(value):
            return value.replace("+00:00", "Z")
        case dict():
            return {key: with_zulu_times(inner) for key, inner in value.items()}
        case list():
            return [with_zulu_times(inner) for inner in value]
    return value


@dataclass(frozen=True)
class Page(Described, Generic[T]):
    """One page of a list. Pass `next` as `after` to get the following page."""

    data: list[T]
    """Rows of this page."""
    next: str | None
    """Cursor of the next page, for `after`; null on the last page."""


@dataclass(frozen=True)
class Reason(Described):
    """Reason for a decision or state."""

    code: str
    """Stable code for machines."""
    message: str
    """Explanation for people."""
