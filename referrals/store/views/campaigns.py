"""Views of campaigns and codes."""

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated

from referrals.domain.field_docs import Described
from referrals.store.views.common import (
    AmountText,
    CurrencyCode,
    RewardStateText,
    RewardType,
    one_of,
)

CampaignState = Annotated[str, one_of(("running", "paused", "archived"))]


@dataclass(frozen=True)
class Campaign(Described):
    """A referral programme."""

    campaign: str
    """Slug of the campaign."""
    name: str
    """Name of the campaign."""
    state: CampaignState
    """State; only a `running` campaign accepts conversions."""
    version: int
    """Number of the version in force."""
    created_at: datetime
    """Time at which it was first applied."""


@dataclass(frozen=True)
class CampaignVersion(Described):
    """A version of a campaign file, and who applied it."""

    version: int
    """Number of the campaign version."""
    in_force: bool
    """True for the version that new referrals start under."""
    applied_at: datetime
    """Time at which it was applied."""
    applied_by: str
    """API key that applied it."""


@dataclass(frozen=True)
class ReferralCode(Described):
    """A referral code of a campaign."""

    code: str
    """The code, as it is shown to people."""
    customer: str | None
    """The caller's id of its owner; null if it is not published."""
    state: Annotated[str, one_of(("active", "inactive"))]
    """An inactive code refuses conversions."""
    uses: int
    """Accepted conversions."""
    uses_limit: int | None
    """Maximum number of conversions; null is no limit."""
    starts_at: datetime | None
    """Earliest time of a conversion."""
    expires_at: datetime | None
    """Time after which it refuses conversions."""
    published_at: datetime | None
    """Time at which it was assigned to its owner."""
    channel: str | None
    """Channel of the publication."""
    created_at: datetime
    """Time at which it was generated or imported."""


@dataclass(frozen=True)
class Revenue(Described):
    """Sum of orders in one currency."""

    currency: CurrencyCode
    """ISO 4217 code of the currency."""
    amount: AmountText
    """Sum of the orders."""


@dataclass(frozen=True)
class RewardSum(Described):
    """Sum of the rewards of one state, type and currency."""

    state: RewardStateText
    """State of the rewards."""
    type: RewardType
    """Type of the rewards."""
    currency: CurrencyCode | None
    """ISO 4217 code of the currency; null for points and coupons."""
    count: int
    """Number of rewards."""
    amount: AmountText
    """Sum of the rewards."""


@dataclass(frozen=True)
class TopAdvocate(Described):
    """An advocate with many confirmed conversions."""

    customer: str
    """The caller's id of the customer."""
    confirmed: int
    """Confirmed conversions."""


@dataclass(frozen=True)
class RuleRejections(Described):
    """Conversions that a rule rejected since the version in force was applied.

    It was false for `failed` of them and could not be evaluated for `broken`; `diagnosis` says why the last time.
    """

    campaign: str
    """Slug of the campaign."""
    rule: str
    """Name of the rule."""
    failed: int
    """Conversions for which the rule was false."""
    broken: int
    """Conversions for which the rule could not be evaluated."""
    diagnosis: str | None
    """Reason why it could not be evaluated the last time."""
    last_at: datetime
    """Time of the last rejection."""


@dataclass(frozen=True)
class ReferralCodeDetails(ReferralCode):
    """A referral code with its campaign and link."""

    campaign: str
    """Campaign of the code."""
    link: str
    """Referral link of the code."""


@dataclass(frozen=True)
class Attention(Described):
    """Numbers of what waits for an operator."""

    referrals_to_review: int
    """Conversions in review."""
    rewards_to_approve: int
    """Rewards that are due and need an approval."""
    rewards_failed: int
    """Rewards that failed to be granted or rolled back."""
    tracked_events_failed: int
    """Events of journeys that a provider did not accept."""
    deliveries_failed: int
    """Deliveries of the campaign's events to webhooks, and of its journeys, that failed after the last attempt."""
    workflow_starts_failed: int
    """Workflows of other applications that journeys failed to start."""


@dataclass(frozen=True)
class CampaignSummary(Described):
    """Numbers of a campaign. `conversions` counts the referrals by state.

    `conversion_rate`, from 0 to 1, is the number of accepted conversions that were not rolled back, divided by the
    number of friends who signed up or converted. Rejected attempts count in neither. It is null without such friends.
    `clicks_omitted` counts visits that are no clicks, by reason: `bot`, `prefetch` or `head`.
    `revenue` sums the orders of the accepted conversions that were not rolled back.
    """

    campaign: str
    """Slug of the campaign."""
    name: str
    """Name of the campaign."""
    state: CampaignState
    """State; only a `running` campaign accepts conversions."""
    version: int
    """Number of the version in force."""
    advocates: int
    """Customers with a code."""
    codes: int
    """Codes, published or not."""
    shares: dict[str, int]
    """Shares, by channel."""
    clicks: int
    """Clicks on all links."""
    clicks_by_channel: dict[str, int]
    """Clicks, by channel."""
    clicks_omitted: dict[str, int]
    """Visits that are no clicks, by reason."""
    sign_ups: int
    """Friends who signed up."""
    conversions: dict[str, int]
    """Referrals, by state."""
    conversion_rate: float | None
    """Part of the friends who converted, from 0 to 1."""
    revenue: list[Revenue]
    """Sums of the orders, by currency."""
    rewards: list[RewardSum]
    """Sums of the rewards, by state, type and currency."""
    top_advocates: list[TopAdvocate]
    """Advocates with the most confirmed conversions."""
    messages: dict[str, int]
    """Messages, by state."""
    refused_requests: int
    """Requests of the last seven days, for any campaign, that were refused; `GET /v1/refusals` says why."""
    unknown_orders: int
    """Orders, of any campaign, with events but without a conversion; `GET /v1/unknown-orders` lists them."""
    rules: list[RuleRejections]
    """Rules that rejected conversions."""
    attention: Attention
    """Numbers of what waits for an operator."""
