"""Notification of an advocate's workflow about reached and lost milestones."""

from dataclasses import dataclass

from temporalio import activity

from referrals.store import Store
from referrals.store.referrals import milestones
from referrals.temporal.names import PROCESS_MILESTONE_UPDATE
from referrals.temporal.payloads import MilestoneChange
from referrals.temporal.targets import advocate_target, update_with_start


@dataclass
class MilestoneActivities:
    store: Store

    @activity.defn(name="notify_advocate")
    async def notify_advocate(self, campaign_id: str, change: MilestoneChange) -> None:
        """Have the advocate's workflow process the milestone. Idempotent."""
        attempt = activity.info().attempt
        async with self.store.read() as tx:  # a merge may have changed the advocate since
            customer_id = await milestones.advocate_customer_id(tx, change.milestone_id)
        await update_with_start(
            activity.client(),
            advocate_target(campaign_id, customer_id),
            PROCESS_MILESTONE_UPDATE,
            change.milestone_id,
            update_id=f"{change.milestone_id}-{change.state}-{attempt}",
        )
