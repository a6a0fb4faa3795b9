"""Views of referrals and the activity log."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from referrals.domain.event_names import OUTBOUND
from referrals.domain.field_docs import Described
from referrals.store.views.common import Reason
from referrals.store.views.rewards import Reward

ONLY_IN_LOG = frozenset(
    {"referral_link_clicked", "journey_condition_failed", "journey_grant_refused"}
)
ACTIVITY = OUTBOUND | ONLY_IN_LOG
"""Types of entries of the activity log."""


@dataclass(frozen=True)
class Activity(Described):
    id: str
    type: str
    at: datetime
    actor: str
    campaign: str | None
    code: str | None
    advocate: str | None
    customer: str | None
    referral: str | None
    milestone: str | None
    reward: str | None
    reason: Reason | None
    data: dict[str, Any]


@dataclass(frozen=True)
class Referral(Described):
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
class Attribution(Described):
    """Attribution of the friend: by the last click before the sign-up or conversion, else by the code."""

    by: Literal["code", "click"]
    click: str | None = None
    clicked_at: datetime | None = None
    channel: str | None = None


@dataclass(frozen=True)
class ReferralDetails(Referral):
    """A referral with its rewards and its activity, oldest first."""

    version: int
    attribution: Attribution
    rewards: list[Reward]
    timeline: list[Activity]


@dataclass(frozen=True)
class ReinstatedReferral(ReferralDetails):
    """A referral after its reinstatement. It is `kept` as it was if the friend or the order counts for another one."""

    effect: Literal["reinstated", "kept"]
