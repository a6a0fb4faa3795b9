"""Views of referrals and the activity log."""

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, Literal

from referrals.domain.event_names import OUTBOUND
from referrals.domain.field_docs import Described
from referrals.domain.states import ReferralState
from referrals.store.views.common import Reason, one_of
from referrals.store.views.rewards import Reward

ONLY_IN_LOG = frozenset(
    {"referral_link_clicked", "journey_condition_failed", "journey_grant_refused"}
)
ACTIVITY = OUTBOUND | ONLY_IN_LOG
"""Types of entries of the activity log."""


@dataclass(frozen=True)
class Activity(Described):
    """An entry of the activity log."""

    id: str
    """Id of the entry; later entries have greater ids."""
    type: Annotated[str, one_of(sorted(ACTIVITY))]
    """Type of what happened."""
    at: datetime
    """Time at which it happened."""
    actor: str
    """API key, event source or part of the engine that caused it."""
    campaign: str | None
    """Slug of the campaign, if it concerns one."""
    code: str | None
    """Referral code, if it concerns one."""
    advocate: str | None
    """The caller's id of the advocate."""
    customer: str | None
    """The caller's id of the customer whom it concerns."""
    referral: str | None
    """Id of the referral."""
    milestone: str | None
    """Id of the milestone."""
    reward: str | None
    """Id of the reward."""
    reason: Reason | None
    """Reason for it."""
    data: dict[str, Any]
    """Details, by type."""


@dataclass(frozen=True)
class Referral(Described):
    """One friend brought by one advocate in one campaign."""

    id: str
    """Id of the referral."""
    campaign: str
    """Slug of the campaign."""
    advocate: str
    """The caller's id of the advocate."""
    friend: str
    """The caller's id of the friend."""
    code: str
    """Code that the friend used."""
    state: Annotated[str, one_of(ReferralState)]
    """Current state."""
    reason: Reason | None
    """Reason for the state, such as of a rejection."""
    order: dict[str, Any] | None
    """Order of the conversion, as it was then."""
    signed_up_at: datetime | None
    """Time of the sign-up."""
    window_ends_at: datetime | None
    """Time until which a conversion counts."""
    converted_at: datetime | None
    """Time of the conversion."""
    due_at: datetime | None
    """Time at which the rewards are due."""
    confirmed_at: datetime | None
    """Time at which hold and review were over."""
    closed_at: datetime | None
    """Time at which it was rejected, expired or rolled back."""
    created_at: datetime
    """Time at which it was first known."""


@dataclass(frozen=True)
class Attribution(Described):
    """Attribution of the friend: by the last click before the sign-up or conversion, else by the code."""

    by: Literal["code", "click"]
    """Kind of the evidence."""
    click: str | None = None
    """Id of the click."""
    clicked_at: datetime | None = None
    """Time of the click."""
    channel: str | None = None
    """Channel of the link that was clicked."""


@dataclass(frozen=True)
class ReferralDetails(Referral):
    """A referral with its rewards and its activity, oldest first."""

    version: int
    """Number of the campaign version that it runs under."""
    attribution: Attribution
    """Evidence of what brought the friend."""
    rewards: list[Reward]
    """Rewards of both sides."""
    timeline: list[Activity]
    """Everything that happened, oldest first."""


@dataclass(frozen=True)
class ReinstatedReferral(ReferralDetails):
    """A referral after its reinstatement. It is `kept` as it was if the friend or the order counts for another one."""

    effect: Literal["reinstated", "kept"]
    """`reinstated` if it counts again."""
