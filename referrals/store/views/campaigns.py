"""Views of campaigns and codes."""

from dataclasses import dataclass
from datetime import datetime

from referrals.domain.field_docs import Described


@dataclass(frozen=True)
class Campaign(Described):
    campaign: str
    name: str
    state: str
    version: int
    created_at: datetime


@dataclass(frozen=True)
class CampaignVersion(Described):
    """A version of a campaign file, and who applied it."""

    version: int
    in_force: bool
    applied_at: datetime
    applied_by: str


@dataclass(frozen=True)
class ReferralCode(Described):
    code: str
    customer: str | None
    state: str
    uses: int
    uses_limit: int | None
    starts_at: datetime | None
    expires_at: datetime | None
    published_at: datetime | None
    channel: str | None
    created_at: datetime


@dataclass(frozen=True)
class Revenue(Described):
    currency: str
    amount: str


@dataclass(frozen=True)
class RewardSum(Described):
    state: str
    type: str
    currency: str | None
    count: int
    amount: str


@dataclass(frozen=True)
class TopAdvocate(Described):
    customer: str
    confirmed: int


@dataclass(frozen=True)
class RuleRejections(Described):
    """Conversions that a rule rejected since the version in force was applied.

    It was false for `failed` of them and could not be evaluated for `broken`; `diagnosis` says why the last time.
    """

    campaign: str
    rule: str
    failed: int
    broken: int
    diagnosis: str | None
    last_at: datetime


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
    name: str
    state: str
    version: int
    advocates: int
    codes: int
    shares: dict[str, int]
    clicks: int
    clicks_by_channel: dict[str, int]
    clicks_omitted: dict[str, int]
    sign_ups: int
    conversions: dict[str, int]
    conversion_rate: float | None
    revenue: list[Revenue]
    rewards: list[RewardSum]
    top_advocates: list[TopAdvocate]
    messages: dict[str, int]
    refused_requests: int
    """Requests of the last seven days, for any campaign, that were refused; `GET /v1/refusals` says why."""
    unknown_orders: int
    """Orders, of any campaign, with events but without a conversion; `GET /v1/unknown-orders` lists them."""
    rules: list[RuleRejections]
    attention: Attention
