"""Models of a campaign file: a referral programme with its rules.

The attributes are the keys of the YAML file or JSON body; unknown keys are refused. A key that is planned but not
implemented is refused with "is not supported yet", so that a campaign never behaves differently from its file.
"""

from collections.abc import Iterator
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Annotated, Any, Literal, Self
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, Field, ValidationInfo, field_validator, model_validator

from referrals.domain.campaign_fields import (
    DateTimeWithOffset,
    FieldPath,
    Flag,
    PassedParameter,
    PositiveInt,
    RuleCondition,
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
from referrals.domain.event_names import COMMANDS, INBOUND, OUTBOUND, SIGN_UP, check_event_name
from referrals.domain.journeys import Journey
from referrals.domain.message_timing import QuietHours, QuietHoursText
from referrals.domain.money import Currency, parse_amount
from referrals.domain.periods import Period
from referrals.domain.renames import unique_identities
from referrals.domain.rewards import Reward, RewardSettings
from referrals.domain.rules import Condition, compile_condition
from referrals.domain.strict_model import StrictModel
from referrals.domain.time_zones import find_zone


class CodePool(StrictModel):
    """Codes that are generated in advance."""

    size: PositiveInt
    refill_below: PositiveInt


class CodeSettings(StrictModel):
    """Format of the codes, number of uses per code, and validity after publication."""

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
    """A condition that a conversion must meet, and the message if it does not."""

    name: Slug
    when: RuleCondition
    message: SingleLine

    @property
    def condition(self) -> Condition:
        return compile_condition(self.when, where=self.name, owner="rule")


class ConversionSettings(StrictModel):
    """The event that converts a friend, its time window and rules, and the hold and review that follow."""

    event: str = "redemption"
    attribution_window: Duration = timedelta(days=30)
    new_customers_only: Flag = False
    same_person: Literal["reject", "review", "allow"] = "reject"
    rules: Annotated[tuple[Rule, ...], Field(max_length=50), AfterValidator(unique_names)] = ()
    hold: Duration | None = None
    after_refund: Literal["allow_again", "final"] = "allow_again"
    """Policy for a friend whose order was refunded or cancelled, once everything granted for it was recovered."""
    review: Literal["manual"] | None = None

    @field_validator("event")
    @classmethod
    def _may_convert(cls, event: str) -> str:
        if event != SIGN_UP and event in INBOUND | OUTBOUND | COMMANDS:
            raise ValueError(f"must not be {event}, which is a reserved event name")
        return check_event_name(event)

    @field_validator("rules")
    @classmethod
    def _read_what_there_is(cls, rules: tuple[Rule, ...], info: ValidationInfo) -> tuple[Rule, ...]:
        if info.data.get("event") == SIGN_UP:
            message = "reads the order, but a sign-up has none"
            raise_field_errors(
                ((index, "when"), message)
                for index, rule in enumerate(rules)
                if rule.condition.reads_any(["order"])
            )
        return rules

    @field_validator("review", mode="before")
    @classmethod
    def _no_scores_yet(cls, review: Any) -> Any:
        if isinstance(review, dict) and "score_at_least" in review:
            raise ValueError("score_at_least is not supported yet")
        return None if review == "none" else review


class AdvocateLimit(StrictModel):
    """Maximum number of accepted conversions per advocate, in total or within a period."""

    count: PositiveInt
    period: Period | None = None


class Cooldown(StrictModel):
    """Minimum time between two rewards of one advocate for friends, or one reward per calendar period."""

    period: Period
    on_hit: Literal["defer", "reject"]


class Budget(StrictModel):
    """Maximum that the campaign may grant, in total or within a period, and the handling of conversions above it."""

    points: PositiveInt | None = None
    money: dict[Currency, str] = Field(default_factory=dict)
    rewards: PositiveInt | None = None
    period: Period | None = None
    on_limit: Literal["reject", "no_reward"] = "reject"

    @field_validator("money")
    @classmethod
    def _amounts_fit_currencies(cls, money: dict[str, str]) -> dict[str, str]:
        for currency, amount in money.items():
            parse_amount(amount, currency)
        return money

    @model_validator(mode="after")
    def _has_a_limit(self) -> Self:
        if self.points is None and self.rewards is None and not self.money:
            raise ValueError("must have points, money or rewards")
        return self

    def limit_of(self, currency: str | None) -> int | None:
        """Return the limit in minor units of the currency, or in points without a currency. None means no limit."""
        if currency is None:
            return self.points
        return parse_amount(self.money[currency], currency) if currency in self.money else None


class Limits(StrictModel):
    """Limits per advocate and for the whole campaign."""

    per_advocate: AdvocateLimit | None = None
    cooldown: Cooldown | None = None
    conversions: PositiveInt | None = None
    budget: Budget | None = None


class MessageSettings(StrictModel):
    """Delivery settings of the campaign's messages. Missing keys fall back to the deployment's settings."""

    quiet_hours: QuietHoursText | None = None
    """Quiet hours in the customer's time zone, or in the campaign's if the customer's is unknown."""

    @property
    def hours(self) -> QuietHours | None:
        """Quiet hours, if there are any that can be understood."""
        with suppress(ValueError):
            return QuietHours.parse(self.quiet_hours) if self.quiet_hours else None
        return None


class LinkSettings(StrictModel):
    """Settings of the referral links. `pass_on` names parameters that go on to the landing page, such as `utm_*`."""

    pass_on: Annotated[tuple[PassedParameter, ...], Field(max_length=20)] = ()


class Campaign(StrictModel):
    """A referral programme with its rules."""

    campaign: Slug
    name: SingleLine
    timezone: TimeZone = "UTC"
    starts_at: DateTimeWithOffset | None = None
    ends_at: DateTimeWithOffset | None = None
    landing_url: Url | None = None
    link: LinkSettings = LinkSettings()
    publish_on: Literal["customer_registered"] | None = None
    code: CodeSettings = CodeSettings()
    conversion: ConversionSettings = ConversionSettings()
    limits: Limits = Limits()
    rewards: RewardSettings
    messages: MessageSettings = MessageSettings()
    journeys: Annotated[
        tuple[Journey, ...], Field(max_length=50), AfterValidator(unique_identities)
    ] = ()

    def all_rewards(self) -> Iterator[tuple[FieldPath, Reward]]:
        """Yield each reward of the campaign, with its path in the campaign."""
        for index, tier in enumerate(self.rewards.tiers):
            yield ("rewards", "tiers", index, "reward"), tier.reward
        if self.rewards.friend:
            yield ("rewards", "friend"), self.rewards.friend
        yield from self.journey_rewards()

    @property
    def zone(self) -> ZoneInfo:
        """Time zone of calendar periods; UTC if the zone of a stored campaign is no longer known."""
        return find_zone(self.timezone)

    def journey_rewards(self) -> Iterator[tuple[FieldPath, Reward]]:
        """Yield each reward that a journey grants, with its path in the campaign."""
        for path, reward in _journey_rewards(self.journeys):
            yield ("journeys", *path), reward

    @field_validator("journeys")
    @classmethod
    def _rewards_can_be_issued(
        cls, journeys: tuple[Journey, ...], info: ValidationInfo
    ) -> tuple[Journey, ...]:
        rewards: RewardSettings | None = info.data.get("rewards")
        if rewards:
            raise_field_errors(_unissuable_rewards(rewards, journeys))
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


def _journey_rewards(journeys: tuple[Journey, ...]) -> Iterator[tuple[FieldPath, Reward]]:
    for index, journey in enumerate(journeys):
        for path, step in journey.walk():
            if step.grant:
                yield (index, *path, "grant", "reward"), step.grant.reward


def _unissuable_rewards(
    rewards: RewardSettings, journeys: tuple[Journey, ...]
) -> Iterator[tuple[FieldPath, str]]:
    for path, reward in _journey_rewards(journeys):
        try:
            rewards.check(reward)
        except ValueError as error:
            yield path, str(error)
