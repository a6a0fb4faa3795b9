"""A campaign: a referral programme with its rules, as its YAML file or JSON body says it.

The models have the keys of the file as their attributes and refuse all others. A key whose machinery is not
there yet is refused too, with "not supported yet", so that no campaign runs otherwise than it reads.
"""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, Field, ValidationInfo, field_validator, model_validator

from referrals.domain.campaign_fields import (
    CelCondition,
    DateTimeWithOffset,
    FieldPath,
    Flag,
    PositiveInt,
    SingleLine,
    Slug,
    TimeZone,
    Url,
    raise_field_errors,
    reject_unsupported,
    unique_names,
)
from referrals.domain.codes import DEFAULT_CHARSET, check_charset, check_pattern
from referrals.domain.durations import Duration
from referrals.domain.event_names import COMMANDS, INBOUND, OUTBOUND, check_event_name
from referrals.domain.journeys import Journey
from referrals.domain.message_timing import QuietHoursText
from referrals.domain.money import Currency, parse_amount
from referrals.domain.rewards import Reward, RewardSettings
from referrals.domain.rules import Condition, compile_condition
from referrals.domain.strict_model import StrictModel


class CodePool(StrictModel):
    """Codes that are made in advance."""

    size: PositiveInt
    refill_below: PositiveInt


class CodeSettings(StrictModel):
    """How codes look, and how often and how long after their publication they can be used."""

    charset: Annotated[str, AfterValidator(check_charset)] = DEFAULT_CHARSET
    pattern: str = "####-####"
    uses: PositiveInt | None = None
    valid_for: Duration | None = None
    join_once: Flag = True
    pool: Annotated[CodePool | None, AfterValidator(reject_unsupported)] = None

    @field_validator("pattern")
    @classmethod
    def _hard_to_guess(cls, pattern: str, info: ValidationInfo) -> str:
        return check_pattern(pattern, info.data.get("charset", DEFAULT_CHARSET))


class Rule(StrictModel):
    """A condition that a conversion must meet, and what is said when it does not."""

    name: Slug
    when: CelCondition
    message: SingleLine

    @property
    def condition(self) -> Condition:
        return compile_condition(self.when, where=self.name)


class ConversionSettings(StrictModel):
    """Which event converts a friend, in what time, under which rules, and what is waited for then."""

    event: str = "redemption"
    attribution_window: Duration = timedelta(days=30)
    new_customers_only: Flag = False
    rules: Annotated[tuple[Rule, ...], Field(max_length=50), AfterValidator(unique_names)] = ()
    hold: Duration | None = None
    review: Literal["manual"] | None = None

    @field_validator("event")
    @classmethod
    def _redemption_or_custom(cls, event: str) -> str:
        if event in INBOUND | OUTBOUND | COMMANDS:
            raise ValueError(f"must not be {event}, which has a meaning of its own")
        return check_event_name(event)

    @field_validator("review", mode="before")
    @classmethod
    def _no_scores_yet(cls, review: Any) -> Any:
        if isinstance(review, dict) and "score_at_least" in review:
            raise ValueError("score_at_least is not supported yet")
        return None if review == "none" else review


class AdvocateLimit(StrictModel):
    """The most accepted conversions of one advocate, within a period or for ever."""

    count: PositiveInt
    period: Duration | None = None


class Cooldown(StrictModel):
    """The least time between two rewarded conversions of one advocate."""

    period: Duration
    on_hit: Literal["defer", "reject"]


class Budget(StrictModel):
    """The most that the campaign may give, ever or within a period, and what becomes of a conversion beyond it."""

    points: PositiveInt | None = None
    money: dict[Currency, str] = Field(default_factory=dict)
    rewards: PositiveInt | None = None
    period: Duration | None = None
    on_limit: Literal["reject", "no_reward"] = "reject"

    @field_validator("money")
    @classmethod
    def _amounts_of_their_currencies(cls, money: dict[str, str]) -> dict[str, str]:
        for currency, amount in money.items():
            parse_amount(amount, currency)
        return money

    @model_validator(mode="after")
    def _of_something(self) -> Self:
        if self.points is None and self.rewards is None and not self.money:
            raise ValueError("must have points, money or rewards")
        return self

    def limit_of(self, currency: str | None) -> int | None:
        """Points where there is no currency, else minor units of it; None is no limit."""
        if currency is None:
            return self.points
        return parse_amount(self.money[currency], currency) if currency in self.money else None


class Limits(StrictModel):
    """How much of the campaign one advocate, and all of them together, may use."""

    per_advocate: AdvocateLimit | None = None
    cooldown: Cooldown | None = None
    conversions: PositiveInt | None = None
    budget: Budget | None = None


class MessageSettings(StrictModel):
    """How the campaign's messages go out; what is left out is as the deployment has it."""

    quiet_hours: QuietHoursText | None = None
    """In the customer's time zone, or the campaign's where that is not known."""


class Campaign(StrictModel):
    """A referral programme with its rules."""

    campaign: Slug
    name: SingleLine
    timezone: TimeZone = "UTC"
    starts_at: DateTimeWithOffset | None = None
    ends_at: DateTimeWithOffset | None = None
    landing_url: Url | None = None
    publish_on: Literal["customer_registered"] | None = None
    code: CodeSettings = CodeSettings()
    conversion: ConversionSettings = ConversionSettings()
    limits: Limits = Limits()
    rewards: RewardSettings
    messages: MessageSettings = MessageSettings()
    journeys: Annotated[
        tuple[Journey, ...], Field(max_length=50), AfterValidator(unique_names)
    ] = ()

    def granted(self) -> Iterator[tuple[FieldPath, Reward]]:
        """What its journeys grant, each with its place in the campaign."""
        for place, reward in _granted(self.journeys):
            yield ("journeys", *place), reward

    @field_validator("journeys")
    @classmethod
    def _grant_what_can_be_issued(
        cls, journeys: tuple[Journey, ...], info: ValidationInfo
    ) -> tuple[Journey, ...]:
        rewards: RewardSettings | None = info.data.get("rewards")
        if rewards:
            raise_field_errors(_not_issued(rewards, journeys))
        return journeys

    @field_validator("ends_at")
    @classmethod
    def _ends_after_it_starts(
        cls, ends_at: datetime | None, info: ValidationInfo
    ) -> datetime | None:
        starts_at = info.data.get("starts_at")
        if ends_at and starts_at and ends_at <= starts_at:
            raise ValueError("must be later than starts_at")
        return ends_at


def _granted(journeys: tuple[Journey, ...]) -> Iterator[tuple[FieldPath, Reward]]:
    for number, journey in enumerate(journeys):
        for place, step in journey.walk():
            if step.grant:
                yield (number, *place, "grant", "reward"), step.grant.reward


def _not_issued(
    rewards: RewardSettings, journeys: tuple[Journey, ...]
) -> Iterator[tuple[FieldPath, str]]:
    for place, reward in _granted(journeys):
        try:
            rewards.check(reward)
        except ValueError as error:
            yield place, str(error)
