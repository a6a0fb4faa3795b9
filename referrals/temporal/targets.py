"""Starting the engine's workflows, and reaching them with an update whether or not they run."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from temporalio.client import Client, WithStartWorkflowOperation
from temporalio.common import Priority, TypedSearchAttributes, WorkflowIDConflictPolicy

from referrals.temporal.names import (
    ADVOCATE_WORKFLOW,
    JOURNEY_WORKFLOW,
    QUEUE,
    REFERRAL_WORKFLOW,
    advocate_workflow_id,
    friend_of_workflow,
)
from referrals.temporal.payloads import AdvocateInput, JourneyInput, PendingWork, ReferralInput
from referrals.temporal.search_attributes import (
    ADVOCATE_ATTRIBUTE,
    CAMPAIGN_ATTRIBUTE,
    STATE_ATTRIBUTE,
    typed_attributes,
)


@dataclass(frozen=True)
class WorkflowTarget:
    """A workflow, and how it is started if it does not run."""

    workflow: str
    argument: ReferralInput | AdvocateInput | JourneyInput
    id: str
    search_attributes: TypedSearchAttributes

    @property
    def start_options(self) -> dict[str, Any]:
        return {
            "id": self.id,
            "task_queue": QUEUE,
            "search_attributes": self.search_attributes,
            "priority": Priority(fairness_key=self.argument.campaign_id),
        }


def referral_target(
    campaign_id: str,
    workflow_id: str,
    advocate_id: str | None,
    initial_state: PendingWork | None = None,
) -> WorkflowTarget:
    """Return the workflow of a referral; `advocate_id` is the internal customer id of the advocate."""
    return WorkflowTarget(
        REFERRAL_WORKFLOW,
        ReferralInput(
            campaign_id=campaign_id,
            friend_id=friend_of_workflow(workflow_id),
            initial_state=initial_state,
        ),
        workflow_id,
        typed_attributes(
            {
                CAMPAIGN_ATTRIBUTE: campaign_id,
                ADVOCATE_ATTRIBUTE: advocate_id,
                STATE_ATTRIBUTE: initial_state.state if initial_state else None,
            }
        ),
    )


def advocate_target(campaign_id: str, customer_id: str) -> WorkflowTarget:
    """Return the workflow of an advocate in a campaign."""
    return WorkflowTarget(
        ADVOCATE_WORKFLOW,
        AdvocateInput(campaign_id=campaign_id, customer_id=customer_id),
        advocate_workflow_id(campaign_id, customer_id),
        typed_attributes({CAMPAIGN_ATTRIBUTE: campaign_id, ADVOCATE_ATTRIBUTE: customer_id}),
    )


def journey_target(campaign_id: str, run_id: str, workflow_id: str) -> WorkflowTarget:
    """Return the workflow of a journey run."""
    return WorkflowTarget(
        JOURNEY_WORKFLOW,
        JourneyInput(campaign_id=campaign_id, run_id=run_id),
        workflow_id,
        typed_attributes({CAMPAIGN_ATTRIBUTE: campaign_id}),
    )


async def start(client: Client, target: WorkflowTarget, delay: timedelta | None) -> None:
    """Start the workflow. With a delay no worker runs it before, unless an update ends the delay.

    Raises WorkflowAlreadyStartedError if it runs.
    """
    await client.start_workflow(
        target.workflow,
        target.argument,
        id_conflict_policy=WorkflowIDConflictPolicy.FAIL,
        start_delay=delay,
        **target.start_options,
    )


async def update_with_start(
    client: Client, target: WorkflowTarget, update: Any, *args: str, update_id: str | None = None
) -> None:
    """Send an update, by its name or its method, and wait for it; start the workflow if it does not run.

    An update is used because a signal that cannot be decoded is lost. The server handles an `update_id` once per run, also
    if the update fails: another attempt needs another id.
    """
    operation: WithStartWorkflowOperation[Any, Any] = WithStartWorkflowOperation(
        target.workflow,
        target.argument,
        id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
        **target.start_options,
    )
    await client.execute_update_with_start_workflow(
        update, args=args, id=update_id, start_workflow_operation=operation
    )
