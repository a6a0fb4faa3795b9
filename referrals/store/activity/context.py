"""The context of a decision: the campaign, the people it is about, who or what caused it, and when."""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Self

from referrals.domain.campaign import Campaign
from referrals.store.schema import AdvocateRow, MilestoneRow


@dataclass(frozen=True)
class ReferralContext:
    """A decision about an advocate, or about one of their friends or milestones. The advocate's row is locked."""

    campaign: Campaign
    version: int
    advocate: AdvocateRow
    actor: str
    now: datetime
    code: str | None = None
    referral_id: str | None = None
    friend_id: str | None = None
    milestone: MilestoneRow | None = None
    workflow_id: str | None = None
    """The workflow of the referral, or of the friend who has none yet."""

    @property
    def sender_id(self) -> str:
        """Return the sender of messages: the referral's workflow if the decision is about a friend, else the advocate."""
        return self.workflow_id or str(self.advocate.id)

    def for_milestone(self, milestone: MilestoneRow) -> Self:
        """Return the context of a milestone, which is about the advocate alone, without the friend."""
        return replace(self, milestone=milestone, friend_id=None, workflow_id=None)
