"""Journeys that wait, and workflows of others that journeys start."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Row
from temporalio import activity
from temporalio.client import Client, RPCError, WithStartWorkflowOperation
from temporalio.common import (
    Priority,
    SearchAttributeKey,
    SearchAttributePair,
    TypedSearchAttributes,
    WorkflowIDConflictPolicy,
    WorkflowIDReusePolicy,
)
from temporalio.exceptions import ApplicationError, WorkflowAlreadyStartedError
from temporalio.service import RPCStatusCode

from activities.decisions import LogMessages
from referrals.clock import Clock
from referrals.store import Store
from referrals.store.db.sql import Tx
from referrals.store.flow import pending_work
from referrals.store.journeys import runs, workflow_starts
from referrals.temporal.names import CAMPAIGN_ATTRIBUTE, JOURNEY_WORKFLOW, QUEUE
from referrals.temporal.payloads import JourneyInput, JourneyStep, PendingWork

CAMPAIGN = SearchAttributeKey.for_keyword(CAMPAIGN_ATTRIBUTE)
HOPELESS = {
    RPCStatusCode.INVALID_ARGUMENT,
    RPCStatusCode.NOT_FOUND,
    RPCStatusCode.PERMISSION_DENIED,
    RPCStatusCode.UNAUTHENTICATED,
}
"""What a server answers to a request that is as wrong the next time."""


@dataclass
class JourneyActivities:
    store: Store
    clock: Clock
    log: LogMessages

    @activity.defn(name="next_step")
    async def next_step(self, step: JourneyStep) -> PendingWork:
        """Take the steps that are due, in one transaction; taking them again changes nothing."""

        async def decision(tx: Tx) -> PendingWork:
            await runs.go_on(tx, step.run_id, step.now)
            return await pending_work.of_journey(tx, step.run_id)

        return await self.log.decide(decision)

    @activity.defn(name="tell_run")
    async def tell_run(self, run_id: str) -> None:
        """Have the run's workflow look at what happened; it is started if need be."""
        async with self.store.read() as tx:
            run = await runs.get(tx, run_id)
        if run.teller_id:
            await tell(activity.client(), run)

    @activity.defn(name="start_workflow")
    async def start_workflow(self, start_id: str) -> None:
        """Start somebody's workflow with the event. One of this id that there is already is the one that was meant.

        Raises ApplicationError, not to be tried again, where the server refuses it for good.
        """
        async with self.store.read() as tx:
            start = await workflow_starts.get(tx, start_id)
        if start.state != "pending":
            return
        try:
            await _start(_in_namespace(activity.client(), start.namespace), start)
        except RPCError as error:
            if error.status not in HOPELESS:
                raise
            raise ApplicationError(str(error), type="Refused", non_retryable=True) from error
        async with self.store.begin() as tx:
            await workflow_starts.settle(tx, start_id, "started", self.clock())

    @activity.defn(name="give_up_start")
    async def give_up_start(self, start_id: str, error: str) -> None:
        """Keep it as failed, with the last error."""
        async with self.store.begin() as tx:
            await workflow_starts.settle(tx, start_id, "failed", self.clock(), error)


async def tell(client: Client, run: Row[Any]) -> None:
    """An update, because a signal can be lost unread; the workflow reads from SQL what there is to know."""
    start: WithStartWorkflowOperation[Any, Any] = WithStartWorkflowOperation(
        JOURNEY_WORKFLOW,
        JourneyInput(campaign_id=run.campaign_id, run_id=run.id),
        id=runs.workflow_id(run),
        task_queue=QUEUE,
        id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
        search_attributes=TypedSearchAttributes([SearchAttributePair(CAMPAIGN, run.campaign_id)]),
        priority=Priority(fairness_key=run.campaign_id),
    )
    await client.execute_update_with_start_workflow("wake", start_workflow_operation=start)


async def _start(client: Client, start: Row[Any]) -> None:
    try:
        await client.start_workflow(
            start.type,
            start.event,
            id=start.key,
            task_queue=start.task_queue,
            id_reuse_policy=WorkflowIDReusePolicy.REJECT_DUPLICATE,
        )
    except WorkflowAlreadyStartedError:
        activity.logger.info("It was started before")


def _in_namespace(client: Client, namespace: str | None) -> Client:
    """The same connection and credentials, for another namespace."""
    if namespace in (None, client.namespace):
        return client
    return Client(
        client.service_client, namespace=str(namespace), data_converter=client.data_converter
    )
