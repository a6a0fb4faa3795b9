"""Models of a campaign file: a referral programme with its rules.

The attributes are the keys of the YAML file or JSON body; unknown keys are refused. A key that is planned but not
implemented is refused with "is not supported yet", so that a campaign never behaves differently from its file.
Docstrings of models and fields are the descriptions in `docs/campaign.md` and in the JSON Schema.
"""

from collections.abc import Iterator
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    ValidationInfo,
    WithJsonSchema,
    field_validator,
)

from referrals.domain.campaign_fields import (
    Charset,
    CodePattern,
    ConvertingEvent,
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
from referrals.domain.campaign_limits import Limits
from referrals.domain.codes import DEFAULT_CHARSET, check_pattern
from referrals.domain.durations import Duration
from referrals.domain.event_names import SIGN_UP
from referrals.domain.journeys import Journey
from referrals.domain.message_timing import QuietHours, QuietHoursText
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

    charset: Charset = DEFAULT_CHARSET
    """Characters that stand for `#` in the pattern. The default has no I, L, O, 0 and 1."""
    pattern: CodePattern = "####-####"
    """Format of generated codes. The pattern and the charset must allow at least 10,000 codes."""
    uses: PositiveInt | None = Field(None, examples=[100])
    """Maximum number of conversions with one code. Further ones are rejected with `code_exhausted`."""
    valid_for: Duration | None = None
    """Validity of a code from its publication. Afterwards conversions are rejected with `code_expired`."""
    join_once: Flag = True
    """Give a customer one code: a second publication returns the first one."""
    pool: Annotated[
        CodePool | None,
        AfterValidator(reject_unsupported),
        WithJsonSchema({"type": "null", "examples": [None]}),
    ] = None
    """Codes that are generated in advance. Not supported yet."""

    @field_validator("pattern")
    @classmethod
    def _hard_to_guess(cls, pattern: str, info: ValidationInfo) -> str:
        return check_pattern(pattern, info.data.get("charset", DEFAULT_CHARSET))


class Rule(StrictModel):
    """A condition that a conversion must meet, and the message if it does not."""

    name: Slug = Field(examples=["minimum_order"])
    """Name of the rule, unique in the campaign. A rejection names it."""
    when: RuleCondition
    """Condition that must hold. Otherwise the conversion is rejected with `rule_failed`."""
    message: SingleLine = Field(examples=["The order must reach 80 EUR."])
    """Explanation for the friend, in the response to the rejected conversion."""

    @property
    def condition(self) -> Condition:
        return compile_condition(self.when, where=self.name, owner="rule")


def _review(review: Any) -> Any:
    if isinstance(review, dict) and "score_at_least" in review:
        raise ValueError("score_at_least is not supported yet")
    return None if review == "none" else review


class ConversionSettings(StrictModel):
    """The event that converts a friend, its time window and rules, and the hold and review that follow."""

    event: ConvertingEvent = "redemption"
    """Event that converts: `redemption` (sent as `redemption` or `referral_converted`), a custom event of the shop, or
    `referral_signed_up`, so that the sign-up is the conversion."""
    attribution_window: Duration = timedelta(days=30)
    """Time from click or sign-up in which the conversion must happen. Afterwards the sign-up expires."""
    new_customers_only: Flag = False
    """Reject friends who registered, got a code or converted before, with `existing_customer`."""
    same_person: Literal["reject", "review", "allow"] = "reject"
    """Handling of a friend who shares an email with the advocate, an earlier friend or a known customer: rejected,
    looked at by a person, or not compared."""
    rules: Annotated[tuple[Rule, ...], Field(max_length=50), AfterValidator(unique_names)] = Field(
        (),
        examples=[[{"name": "minimum", "when": "order.amount >= 80", "message": "From 80 EUR."}]],
    )
    """Conditions that every conversion must meet. They cannot read the order where a sign-up converts."""
    hold: Duration | None = None
    """Time between conversion and confirmation, such as the return window. Rewards are due at its end."""
    after_refund: Literal["allow_again", "final"] = "allow_again"
    """Handling of a friend whose order was refunded or cancelled: may convert again once everything granted was
    recovered, or never again (`final`)."""
    review: Annotated[
        Literal["manual"] | None,
        BeforeValidator(_review, json_schema_input_type=Literal["manual", "none"] | None),
    ] = Field(None, examples=["manual"])
    """Review of conversions: `manual` lets each one wait for a person's decision."""

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
    """Settings of the referral links."""

    pass_on: Annotated[tuple[PassedParameter, ...], Field(max_length=20)] = ()
    """Parameters of the link that go on to the landing page."""


_THANKS = {
    "name": "thanks",
    "on": "referral_converted",
    "steps": [{"send": {"template": "thank_advocate", "to": "advocate", "channels": ["email"]}}],
}


class Campaign(StrictModel):
    """A referral programme with its rules."""

    campaign: Slug = Field(examples=["spring"])
    """Identifier of the campaign in URLs, commands and events."""
    name: SingleLine = Field(examples=["Spring referrals"])
    """Name for people, in messages, share links and lists."""
    timezone: TimeZone = "UTC"
    """Time zone of calendar periods, and of customers whose own is unknown."""
    starts_at: DateTimeWithOffset | None = None
    """Beginning of the campaign. Earlier conversions are rejected with `campaign_not_running`."""
    ends_at: DateTimeWithOffset | None = None
    """End of the campaign, later than its beginning. Later conversions are rejected with `campaign_not_running`."""
    landing_url: Url | None = None
    """Page to which `/r/CODE` leads. It gets the parameters `code` and `click`."""
    link: LinkSettings = Field(LinkSettings(), examples=[{"pass_on": ["utm_*"]}])
    """Settings of the referral links."""
    publish_on: Literal["customer_registered"] | None = None
    """Event on which a customer gets a code. Without it, codes are published by the API and by commands only."""
    code: CodeSettings = Field(CodeSettings(), examples=[{"pattern": "SPRING-####-####"}])
    """Format, uses and validity of the codes."""
    conversion: ConversionSettings = Field(ConversionSettings(), examples=[{"hold": "P14D"}])
    """The event that converts a friend, and its conditions."""
    limits: Limits = Field(Limits(), examples=[{"conversions": 10_000}])
    """Limits per advocate and for the whole campaign."""
    rewards: RewardSettings = Field(examples=[{"friend": {"type": "points", "amount": 50}}])
    """Rewards of the friend and the advocate, and their provider."""
    messages: MessageSettings = Field(MessageSettings(), examples=[{"quiet_hours": "21:00-08:00"}])
    """Delivery settings of the campaign's messages."""
    journeys: Annotated[
        tuple[Journey, ...], Field(max_length=50), AfterValidator(unique_identities)
    ] = Field((), examples=[[_THANKS]])
    """Messages, grants and calls to other systems that follow events."""

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
