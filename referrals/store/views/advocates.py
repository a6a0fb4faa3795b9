"""Views of advocates."""

from dataclasses import dataclass
from datetime import datetime

from referrals.domain.field_docs import Described
from referrals.store.views.rewards import Reward


@dataclass(frozen=True)
class AdvocateCounts(Described):
    """Numbers of an advocate: shares and clicks by channel, and friends by how far they came.

    `converted` excludes conversions that were rejected or rolled back.
    """

    shares: dict[str, int]
    clicks: dict[str, int]
    signed_up: int
    converted: int
    confirmed: int
    rewarded: int


@dataclass(frozen=True)
class Advocate(Described):
    customer: str
    code: str | None
    link: str | None
    counts: AdvocateCounts
    created_at: datetime


@dataclass(frozen=True)
class NextTier(Described):
    """The next milestone and the number of confirmed conversions that are missing."""

    name: str
    at: int
    missing: int


@dataclass(frozen=True)
class Milestone(Described):
    id: str
    name: str
    at: int
    occurrence: int
    state: str
    reached_at: datetime
    lost_at: datetime | None


@dataclass(frozen=True)
class AdvocateDetails(Advocate):
    """An advocate with milestones and the latest rewards. The list of rewards has all of them."""

    campaign: str
    share: dict[str, str]
    next_tier: NextTier | None
    cooldown_until: datetime | None
    milestones: list[Milestone]
    rewards: list[Reward]
