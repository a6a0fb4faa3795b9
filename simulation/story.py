"""The story of a campaign: events and commands with their times, and what is expected after them."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import Annotated, Any, Literal, Self, TypeAlias

from pydantic import AwareDatetime, BeforeValidator, Field, TypeAdapter, model_validator

from referrals.domain.durations import ISO_DURATION
from referrals.domain.states import Decision, ReferralState, RewardState
from referrals.domain.strict_model import StrictModel

COMMANDS: dict[str, str] = {
    "referral approve": "approve",
    "referral reject": "reject",
    "referral roll-back": "roll_back",
    "referral reinstate": "reinstate",
    "reward approve": "reward_approve",
}
"""Commands of an operator, and their names in the inbox."""

_TIME = TypeAdapter(AwareDatetime)
_DURATION = TypeAdapter(timedelta)


def _moment(value: Any) -> timedelta | datetime:
    if isinstance(value, timedelta | datetime):
        return value
    if isinstance(value, str) and ISO_DURATION.fullmatch(value):
        return _DURATION.validate_python(value)
    try:
        return _TIME.validate_python(value, strict=False)
    except ValueError:
        raise ValueError(
            "must be a time since the start of the story, such as P3D or PT2H, "
            "or a time with its offset, such as 2026-03-04T10:00:00+01:00"
        ) from None


def _decimal(value: Any) -> Decimal:
    if isinstance(value, int | str | Decimal) and not isinstance(value, bool):
        try:
            return Decimal(value)
        except InvalidOperation:
            pass
    raise ValueError('must be a number, such as 100, or "25.00" in quotes')


Moment: TypeAlias = Annotated[timedelta | datetime, BeforeValidator(_moment)]
"""A time since the start of the story, or an absolute time."""
Amount = Annotated[Decimal, BeforeValidator(_decimal)]
Times = Annotated[int, Field(ge=1, le=1000)]
Person = Annotated[str, Field(min_length=1)]
"""The caller's id of a customer."""


class ExpectedReward(StrictModel):
    """One or more (`times`) rewards of a customer. Keys that are left out are not compared."""

    tier: str | None = None
    type: Literal["points", "gift_credit", "coupon"] | None = None
    amount: Amount | None = None
    currency: str | None = None
    provider: str | None = None
    state: RewardState | None = None
    due: Moment | None = None
    times: Times = 1


class ExpectedMessage(StrictModel):
    """One or more (`times`) messages to a customer. Keys that are left out are not compared."""

    template: str | None = None
    channel: str | None = None
    state: Literal["pending", "sent", "delivered", "read", "failed"] | None = None
    times: Times = 1


class Expectation(StrictModel):
    """Values expected after a step: the response to its event, and the state of people, by the caller's ids."""

    decision: Decision | None = None
    reason: str | None = None
    effects: tuple[str, ...] | None = None
    refused: bool = False
    referrals: dict[Person, ReferralState] = Field(default_factory=dict)
    balances: dict[Person, dict[str, Amount]] = Field(default_factory=dict)
    rewards: dict[Person, tuple[ExpectedReward, ...]] = Field(default_factory=dict)
    messages: dict[Person, tuple[ExpectedMessage, ...]] = Field(default_factory=dict)
    milestones: dict[Person, tuple[str, ...]] = Field(default_factory=dict)
    journeys: dict[str, Annotated[int, Field(ge=0)]] = Field(default_factory=dict)


class Step(StrictModel):
    """One step of a story: an event as the API takes it, a publication, an operator's command, or only an expectation."""

    at: Moment | None = None
    specversion: Literal["1.0"] = "1.0"
    id: str | None = None
    source: str = "shop"
    type: str | None = None
    time: Moment | None = None
    data: dict[str, Any] | None = None
    publish: dict[str, Any] | None = None
    command: str | None = None
    of: Person | None = None
    reason: str = "By hand"
    expect: Expectation | None = None

    @model_validator(mode="after")
    def _does_one_thing(self) -> Self:
        given = [name for name in ("type", "publish", "command") if getattr(self, name) is not None]
        if len(given) > 1:
            raise ValueError(f"must have one of {' and '.join(given)}")
        if not given and self.expect is None:
            raise ValueError("must have type (an event), publish, command or expect")
        for needed, by in (("data", "type"), ("of", "command")):
            if (getattr(self, needed) is None) != (getattr(self, by) is None):
                raise ValueError(f"must have both {by} and {needed}, or neither")
        return self

    @property
    def expected(self) -> Expectation:
        return self.expect or Expectation()

    def time_in_story(self, start: datetime, before: datetime) -> datetime:
        """Return the time of the step in a story that started at `start`; `before` is that of the step before."""
        return before if self.at is None else absolute(self.at, start)


def absolute(moment: timedelta | datetime, start: datetime) -> datetime:
    return start + moment if isinstance(moment, timedelta) else moment


def advocate_of(code: Any) -> str | None:
    """Return the advocate of a code that is written as `{of: ada}`; None if it is written otherwise."""
    if isinstance(code, Mapping) and set(code) == {"of"} and isinstance(code["of"], str):
        return code["of"]
    return None
