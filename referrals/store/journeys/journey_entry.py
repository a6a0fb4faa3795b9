"""An entry into a journey: the event that starts it, and everything that its steps need."""

import uuid
from dataclasses import dataclass

from referrals.domain.actors import SYSTEM_ACTOR
from referrals.domain.journeys import Journey
from referrals.domain.reasons import Reason
from referrals.store.activity import log
from referrals.store.activity.context import ReferralContext
from referrals.store.db.sql import Tx
from referrals.store.schema import RewardRow
from referrals.temporal.names import journey_workflow_id

_ID_NAMESPACE = uuid.UUID("3f1c4a52-8a0d-4f0e-9b57-1d2f9c7e60aa")


@dataclass(frozen=True)
class JourneyEntry:
    """One entry into `journey` by the event with this id in the activity log.

    `occurrence` distinguishes entries of one subject by events of the same type, such as two shares.
    """

    context: ReferralContext
    journey: Journey
    activity_id: int
    reward: RewardRow | None = None
    occurrence: str = ""

    @property
    def subject(self) -> str:
        """Return the id of the milestone that the journey is about, else of the referral, else of the advocate."""
        context = self.context
        milestone_id = context.milestone.id if context.milestone else None
        return str(milestone_id or context.referral_id or context.advocate.id)

    @property
    def run_id(self) -> str:
        """Return the id of the run. It is derived from the event, so that one event enters only once."""
        return f"jrn_{uuid.uuid5(_ID_NAMESPACE, self.key('run')).hex}"

    @property
    def workflow_id(self) -> str:
        return journey_workflow_id(self.journey.name, self.subject, self.run_id)

    def key(self, step: int | str) -> str:
        """Return the idempotency key of a step's effect."""
        campaign, journey = self.context.campaign.campaign, self.journey
        key = f"{campaign}/{journey.identity}/{step}/{self.subject}/{journey.on}"
        return f"{key}/{self.occurrence}" if self.occurrence else key

    def customer_of(self, side: str | None) -> str | None:
        """Return the customer id of the advocate or the friend; None for the operator."""
        sides = {"advocate": self.context.advocate.customer_id, "friend": self.context.friend_id}
        return sides.get(side) if side else None


async def log_problem(tx: Tx, entry: JourneyEntry, event_type: str, reason: Reason) -> None:
    """Log a problem of a journey, with its reason, in the activity log."""
    context = entry.context
    row = log.activity_row(
        event_type,
        at=context.now,
        actor=SYSTEM_ACTOR,
        campaign_id=context.campaign.campaign,
        advocate_id=context.advocate.id,
        referral_id=context.referral_id,
        milestone_id=context.milestone.id if context.milestone else None,
        reason=reason,
        data={"journey": entry.journey.name},
    )
    await log.write_rows(tx, [row])
