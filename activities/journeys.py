"""Steps of waiting journeys, and starts of workflows of other applications."""

from dataclasses import dataclass
from typing import Any

from temporalio import activity
from temporalio.client import Client, RPCError
from temporalio.common import WorkflowIDReusePolicy
from temporalio.exceptions import ApplicationError, WorkflowAlreadyStartedError
from temporalio.service import RPCStatusCode

from activities.decisions import LogMessages
from referrals.clock import Clock
from referrals.logging import get_logger
from referrals.store import Store
from referrals.store.db.sql import Tx
from referrals.store.flow import pending_work
from referrals.store.flow.event_loop import handle_events
from referrals.store.journeys import runs, workflow_starts
from referrals.store.reporting import outgoing_events
from referrals.store.schema import WorkflowStartRow
from referrals.temporal.names import WAKE_UPDATE
from referrals.temporal.payloads import JourneyStep, PendingWork
from referrals.temporal.targets import journey_target, update_with_start

_NOT_ALLOWED = "The engine may not start workflows in this namespace."
PERMANENT_ERRORS = {
    RPCStatusCode.INVALID_ARGUMENT: "Temporal does not accept the workflow type or the task queue.",
    RPCStatusCode.NOT_FOUND: "Temporal has no such namespace.",
    RPCStatusCode.PERMISSION_DENIED: _NOT_ALLOWED,
    RPCStatusCode.UNAUTHENTICATED: _NOT_ALLOWED,
}
"""Responses of a Temporal server to requests that a retry cannot make valid, in words for operators."""


log = get_logger(__name__)


@dataclass
class JourneyActivities:
    store: Store
    clock: Clock
    log: LogMessages
    source: str
    """The `source` of events that workflows of other applications get."""

    @activity.defn(name="run_journey_steps")
    async def run_journey_steps(self, step: JourneyStep) -> PendingWork:
        """Run the steps that are due, in one transaction. Idempotent."""

        async def decision(tx: Tx) -> PendingWork:
            await runs.advance(tx, step.run_id, step.now)
            await handle_events(tx)
            return await pending_work.find_for_journey(tx, step.run_id)

        return await self.log.decide(decision, step.run_id)

    @activity.defn(name="notify_journey")
    async def notify_journey(self, run_id: str) -> None:
        """Wake the run's workflow, which is started if it does not run. Idempotent."""
        async with self.store.read() as tx:
            run = await runs.get(tx, run_id)
        if run.notifier_workflow_id:
            target = journey_target(run.campaign_id, run.id, runs.workflow_id(run))
            await update_with_start(activity.client(), target, WAKE_UPDATE)

    @activity.defn(name="start_workflow")
    async def start_workflow(self, start_id: str) -> None:
        """Start a workflow of another application with the event. A workflow that already has the id counts as started.

        Raises a non-retryable ApplicationError if the server refuses the request permanently.
        """
        async with self.store.read() as tx:
            start = await workflow_starts.get(tx, start_id)
            event = await outgoing_events.load_with_our_ids(tx, start.activity_id, self.source)
        if start.state != "pending":
            return
        try:
            await _start(_in_namespace(activity.client(), start.namespace), start, event)
        except RPCError as error:
            log.warning("workflow was not started", status=error.status.name, reason=str(error))
            message = PERMANENT_ERRORS.get(error.status, "Temporal did not respond.")
            permanent = error.status in PERMANENT_ERRORS
            raise ApplicationError(message, type="Refused", non_retryable=permanent) from error
        async with self.store.begin() as tx:
            await workflow_starts.complete(tx, start_id, "started", self.clock())

    @activity.defn(name="mark_start_failed")
    async def mark_start_failed(self, start_id: str, error: str) -> None:
        """Mark the start as failed with its last error."""
        async with self.store.begin() as tx:
            await workflow_starts.complete(tx, start_id, "failed", self.clock(), error)


async def _start(client: Client, start: WorkflowStartRow, event: dict[str, Any]) -> None:
    try:
        await client.start_workflow(
            start.type,
            event,
            id=start.key,
            task_queue=start.task_queue,
            id_reuse_policy=WorkflowIDReusePolicy.REJECT_DUPLICATE,
        )
    except WorkflowAlreadyStartedError:
        log.info("workflow had been started before")


def _in_namespace(client: Client, namespace: str | None) -> Client:
    """Return a client for the namespace that shares the connection, the credentials and the interceptors."""
    if namespace in (None, client.namespace):
        return client
    return Client(
        client.service_client,
        namespace=str(namespace),
        data_converter=client.data_converter,
        interceptors=client.config(active_config=True)["interceptors"],
    )
