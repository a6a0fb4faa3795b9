"""Telling an advocate's workflow of a milestone won or lost; an update, because a signal can be lost unread."""

from dataclasses import dataclass
from typing import Any

from temporalio import activity
from temporalio.client import WithStartWorkflowOperation
from temporalio.common import Priority, WorkflowIDConflictPolicy

from referrals.temporal.names import ADVOCATE_WORKFLOW, QUEUE, advocate_workflow_id
from referrals.temporal.payloads import AdvocateInput, MilestoneChange


@dataclass
class MilestoneActivities:
    @activity.defn(name="tell_advocate")
    async def tell_advocate(self, campaign: str, change: MilestoneChange) -> None:
        """Start the advocate's workflow if need be; telling it again changes nothing."""
        start: WithStartWorkflowOperation[Any, None] = WithStartWorkflowOperation(
            ADVOCATE_WORKFLOW,
            AdvocateInput(campaign_id=campaign, customer_id=change.advocate_id),
            id=advocate_workflow_id(campaign, change.advocate_id),
            task_queue=QUEUE,
            id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
            priority=Priority(fairness_key=campaign),
        )
        await activity.client().execute_update_with_start_workflow(
            "milestone",
            change.milestone_id,
            # A failed attempt is remembered by its update id: the next one needs another.
            id=f"{change.milestone_id}-{change.state}-{activity.info().attempt}",
            start_workflow_operation=start,
        )
