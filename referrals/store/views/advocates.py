"""Views of advocates."""

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated

from referrals.domain.field_docs import Described
from referrals.store.views.common import one_of
from referrals.store.views.rewards import Reward


@dataclass(frozen=True)
class AdvocateCounts(Described):
    """Numbers of an advocate: shares and clicks by channel, and friends by how far they came.

    `converted` excludes conversions that were rejected or rolled back.
    """

    shares: dict[str, int]
    """Shares of the link, by channel."""
    clicks: dict[str, int]
    """Clicks on the link, by channel."""
    signed_up: int
    """Friends who signed up."""
    converted: int
    """Friends who converted."""
    confirmed: int
    """Friends whose conversion was confirmed after hold and review."""
    rewarded: int
    """Friends whose rewards were granted."""


@dataclass(frozen=True)
class Advocate(Described):
    """A customer who refers friends in a campaign."""

    customer: str
    """The caller's id of the customer."""
    code: str | None
    """Current referral code; null if it has none any more."""
    link: str | None
    """Referral link."""
    counts: AdvocateCounts
    """Shares, clicks and friends."""
    created_at: datetime
    """Time of the first publication."""


@dataclass(frozen=True)
class NextTier(Described):
    """The next milestone and the number of confirmed conversions that are missing."""

    name: str
    """Name of the tier."""
    at: int
    """Number of confirmed conversions that it needs."""
    missing: int
    """Confirmed conversions that are missing."""


@dataclass(frozen=True)
class Milestone(Described):
    """A tier that an advocate reached by the number of confirmed conversions."""

    id: str
    """Id of the milestone."""
    name: str
    """Name of the tier."""
    at: int
    """Number of confirmed conversions that it needed."""
    occurrence: int
    """Count of the times that the tier was reached, from 1."""
    state: Annotated[str, one_of(("reached", "lost"))]
    """`lost` while the count is below the tier."""
    reached_at: datetime
    """Time at which it was reached."""
    lost_at: datetime | None
    """Time at which a roll-back took the count below the tier."""


@dataclass(frozen=True)
class AdvocateDetails(Advocate):
    """An advocate with milestones and the latest rewards. The list of rewards has all of them."""

    campaign: str
    """Slug of the campaign."""
    share: dict[str, str]
    """Links by channel, whose clicks are counted for that channel."""
    next_tier: NextTier | None
    """Next milestone; null after the last."""
    cooldown_until: datetime | None
    """Earliest time of the next reward for a friend; null without a cooldown."""
    milestones: list[Milestone]
    """Milestones that were reached, latest first."""
    rewards: list[Reward]
    """Latest rewards."""
