"""What is read out of the store: rows as the API, the commands and the console show them.

Customers go by the caller's ids. Times are UTC instants, amounts decimal strings in major units.
"""

import re
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Generic, Literal, TypeVar

from referrals.domain.event_names import OUTBOUND

T = TypeVar("T")

MessageState = Literal["pending", "sent", "delivered", "read", "failed"]
OutcomeKind = Literal["done", "queued", "refused"]
"""Of a command: queued is kept, and done later, once."""

ACTIVITY = OUTBOUND | {"referral_link_clicked", "journey_condition_failed"}
"""The types of what is recorded."""

_UTC = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?\+00:00", re.ASCII)


def with_zulu_times(value: Any) -> Any:
    """The JSON value with every instant in it that was kept as text written like all others, with a Z."""
    match value:
        case str() if _UTC.fullmatch(value):
            return value.replace("+00:00", "Z")
        case dict():
            return {key: with_zulu_times(inner) for key, inner in value.items()}
        case list():
            return [with_zulu_times(inner) for inner in value]
    return value


@dataclass(frozen=True)
class Page(Generic[T]):
    """One page of a list; `next` is what `after` must be to get the following one."""

    data: list[T]
    next: str | None


@dataclass(frozen=True)
class Reason:
    code: str
    message: str


@dataclass(frozen=True)
class Campaign:
    campaign: str
    name: str
    state: str
    version: int
    created_at: datetime


@dataclass(frozen=True)
class Code:
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
class Counts:
    """Of an advocate: shares and clicks by channel; friends who signed up, whose conversion stands, is confirmed, is
    rewarded.
    """

    shares: dict[str, int]
    clicks: dict[str, int]
    signed_up: int
    converted: int
    confirmed: int
    rewarded: int


@dataclass(frozen=True)
class Advocate:
    customer: str
    code: str | None
    link: str | None
    counts: Counts
    created_at: datetime


@dataclass(frozen=True)
class NextTier:
    """The nearest milestone, and how many confirmed conversions are missing."""

    name: str
    at: int
    missing: int


@dataclass(frozen=True)
class Milestone:
    id: str
    name: str
    at: int
    occurrence: int
    state: str
    reached_at: datetime
    lost_at: datetime | None


@dataclass(frozen=True)
class Reward:
    id: str
    campaign: str
    referral: str | None
    milestone: str | None
    customer: str
    side: str
    tier: str | None
    type: str
    amount: str
    currency: str | None
    state: str
    due_at: datetime | None
    granted_at: datetime | None
    expires_at: datetime | None
    closed_at: datetime | None
    reason: str | None
    key: str
    provider: str
    reference: str | None
    attempts: int
    error: str | None
    next_step: str | None
    created_at: datetime


@dataclass(frozen=True)
class Outcome:
    """What became of a command for one reward, and the state that it is in now; `detail` says why it was refused."""

    id: str
    key: str
    customer: str
    outcome: OutcomeKind
    state: str
    detail: str | None


@dataclass(frozen=True)
class AdvocateDetails(Advocate):
    """With the latest rewards; all of them are in the list of rewards."""

    campaign: str
    share: dict[str, str]
    next_tier: NextTier | None
    cooldown_until: datetime | None
    milestones: list[Milestone]
    rewards: list[Reward]


@dataclass(frozen=True)
class Activity:
    id: str
    type: str
    at: datetime
    actor: str
    campaign: str
    code: str | None
    advocate: str | None
    customer: str | None
    referral: str | None
    milestone: str | None
    reward: str | None
    reason: Reason | None
    data: dict[str, Any]


@dataclass(frozen=True)
class Referral:
    id: str
    campaign: str
    advocate: str
    friend: str
    code: str
    state: str
    reason: Reason | None
    order: dict[str, Any] | None
    signed_up_at: datetime | None
    window_ends_at: datetime | None
    converted_at: datetime | None
    due_at: datetime | None
    confirmed_at: datetime | None
    closed_at: datetime | None
    created_at: datetime


@dataclass(frozen=True)
class Attribution:
    """What the friend was attributed by: the last click before the sign-up or conversion, or else the code alone."""

    by: Literal["code", "click"]
    click: str | None = None
    clicked_at: datetime | None = None
    channel: str | None = None


@dataclass(frozen=True)
class ReferralDetails(Referral):
    """With its rewards, and all that happened to it, oldest first."""

    version: int
    attribution: Attribution
    rewards: list[Reward]
    timeline: list[Activity]


@dataclass(frozen=True)
class Message:
    """A pending one waits until `not_before`; the reason says for what, or why it failed.

    `customer` is `operator` where it is the operator's.
    """

    id: str
    customer: str
    journey: str
    event: str
    template: str
    purpose: str | None
    channel: str | None
    state: str
    reason: Reason | None
    not_before: datetime | None
    referral: str | None
    milestone: str | None
    subject: str | None
    text: str | None
    created_at: datetime
    completed_at: datetime | None
    delivered_at: datetime | None
    read_at: datetime | None


@dataclass(frozen=True)
class Consent:
    """What a customer has said, or a list of theirs. The latest of a channel and purpose is in force."""

    channel: str
    purpose: str
    state: str
    source: str
    at: datetime
    in_force: bool


@dataclass(frozen=True)
class Suppression:
    """An address of the customer that nothing reaches by this channel."""

    customer: str
    channel: str
    reason: Reason
    since: datetime


@dataclass(frozen=True)
class Block:
    """All that goes by the channel, or by its template, is held; one message tries at `probe_at`."""

    id: str
    channel: str
    template: str | None
    reason: Reason
    since: datetime
    probe_at: datetime


@dataclass(frozen=True)
class Revenue:
    currency: str
    amount: str


@dataclass(frozen=True)
class RewardSum:
    state: str
    type: str
    currency: str | None
    count: int
    amount: str


@dataclass(frozen=True)
class TopAdvocate:
    customer: str
    confirmed: int


@dataclass(frozen=True)
class Summary:
    """The numbers of a campaign. `conversions` are the referrals by state, refused attempts as `rejected`.

    `conversion_rate`, from 0 to 1, is the conversions that were accepted and stand (not rejected, not rolled back)
    divided by the friends who signed up or converted; attempts that were refused count in neither. It is null without
    such friends. `revenue` is what the conversions that stand ordered.
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
    sign_ups: int
    conversions: dict[str, int]
    conversion_rate: float | None
    revenue: list[Revenue]
    rewards: list[RewardSum]
    top_advocates: list[TopAdvocate]
    messages: dict[str, int]


@dataclass(frozen=True)
class Balance:
    """What a customer holds of one kind, what is on its way, and what could not be taken back."""

    type: str
    currency: str | None
    balance: str
    pending: str
    owed: str


@dataclass(frozen=True)
class Coupon:
    code: str
    discount: dict[str, Any]
    state: str
    expires_at: datetime | None
    reward: str


@dataclass(frozen=True)
class CouponPool:
    """How many of its coupons are in which state."""

    available: int
    issued: int
    redeemed: int
    void: int


@dataclass(frozen=True)
class LineFault:
    """Why a line of a file cannot be imported."""

    line: int
    column: str
    reason: str


@dataclass(frozen=True)
class Imported:
    """All lines, or none and why."""

    imported: int
    errors: list[LineFault]


@dataclass(frozen=True)
class Wallet:
    customer: str
    balances: list[Balance]
    coupons: list[Coupon]


@dataclass(frozen=True)
class Entry:
    """One line of a wallet, or of what is `owed`; the amount is signed."""

    id: str
    at: datetime
    account: str
    type: str
    currency: str | None
    amount: str
    reward: str | None
    reverses: str | None
    memo: str
