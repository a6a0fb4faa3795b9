"""Handing a stored event to the workflow that it belongs to: start it if need be, and wait for the decision."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from weakref import WeakValueDictionary

from sqlalchemy import Row
from temporalio.client import Client, RPCError, WithStartWorkflowOperation
from temporalio.common import (
    Priority,
    SearchAttributeKey,
    SearchAttributePair,
    TypedSearchAttributes,
    WorkflowIDConflictPolicy,
)
from temporalio.exceptions import WorkflowAlreadyStartedError
from temporalio.service import RPCStatusCode

from referrals.temporal.names import (
    ADVOCATE_ATTRIBUTE,
    CAMPAIGN_ATTRIBUTE,
    QUEUE,
    STATE_ATTRIBUTE,
    advocate_workflow_id,
    referral_workflow_id,
)
from referrals.temporal.payloads import AdvocateInput, PendingWork, ReferralInput
from workflows.advocate import AdvocateWorkflow
from workflows.referral import ReferralWorkflow

IN_FLIGHT = 8
"""Updates of one workflow at a time; the server refuses more than ten."""

PASSING = {
    RPCStatusCode.ABORTED,
    RPCStatusCode.NOT_FOUND,
    RPCStatusCode.RESOURCE_EXHAUSTED,
    RPCStatusCode.INTERNAL,
    RPCStatusCode.UNKNOWN,
}
"""What the server answers when a run ends just now, or is busy or in trouble: the next try may start or find another.

An update that was taken nevertheless is not taken again: its id is the same.
"""

PAUSE = 0.1
"""Seconds between such tries."""

CAMPAIGN = SearchAttributeKey.for_keyword(CAMPAIGN_ATTRIBUTE)
ADVOCATE = SearchAttributeKey.for_keyword(ADVOCATE_ATTRIBUTE)
STATE = SearchAttributeKey.for_keyword(STATE_ATTRIBUTE)


@dataclass(frozen=True)
class Run:
    """Which workflow, and how it is started where it does not run."""

    workflow: Any
    argument: ReferralInput | AdvocateInput
    id: str
    attributes: TypedSearchAttributes

    @property
    def options(self) -> dict[str, Any]:
        """However it is started."""
        return {
            "id": self.id,
            "task_queue": QUEUE,
            "search_attributes": self.attributes,
            "priority": Priority(fairness_key=self.argument.campaign_id),
        }

    def start(self) -> WithStartWorkflowOperation[Any, Any]:
        return WithStartWorkflowOperation(
            self.workflow,
            self.argument,
            id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
            **self.options,
        )


def referral_run(
    campaign_id: str, friend_id: str, advocate: str | None, standing: PendingWork | None = None
) -> Run:
    """The friend's workflow in the campaign; `advocate` is the customer's id here, `standing` where it begins."""
    state = standing.state if standing else None
    return Run(
        ReferralWorkflow.run,
        ReferralInput(campaign_id=campaign_id, friend_id=friend_id, initial_state=standing),
        referral_workflow_id(campaign_id, friend_id),
        _attributes({CAMPAIGN: campaign_id, ADVOCATE: advocate, STATE: state}),
    )


def advocate_run(campaign_id: str, customer_id: str) -> Run:
    """The advocate's workflow in the campaign."""
    return Run(
        AdvocateWorkflow.run,
        AdvocateInput(campaign_id=campaign_id, customer_id=customer_id),
        advocate_workflow_id(campaign_id, customer_id),
        _attributes({CAMPAIGN: campaign_id, ADVOCATE: customer_id}),
    )


def _attributes(values: dict[SearchAttributeKey[str], str | None]) -> TypedSearchAttributes:
    return TypedSearchAttributes(
        [SearchAttributePair(key, value) for key, value in values.items() if value]
    )


class Dispatch:
    """Updates to the engine's workflows. Time-outs are the caller's to set; a late update still happens once."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._turns: WeakValueDictionary[str, asyncio.Semaphore] = WeakValueDictionary()

    async def start(self, run: Run, delay: timedelta | None = None) -> bool:
        """Start the workflow; false where it runs already.

        With `delay` no worker hears of it before, unless an update comes: that ends the delay.
        """

        async def start() -> None:
            await self._client.start_workflow(
                run.workflow,
                run.argument,
                id_conflict_policy=WorkflowIDConflictPolicy.FAIL,
                start_delay=delay,
                **run.options,
            )

        try:
            await _until_taken(start)
        except WorkflowAlreadyStartedError:
            return False
        return True

    async def update(self, run: Run, update: Any, event: Row[Any], *args: str) -> None:
        """Send the event's id, and wait until the workflow has decided."""

        async def send() -> None:
            await self._client.execute_update_with_start_workflow(
                update,
                args=[event.id, *args],
                # A failed attempt is remembered by its update id: the next one needs another.
                id="-".join((event.id, *args, str(event.attempts))),
                start_workflow_operation=run.start(),
            )

        turn = self._turns.setdefault(run.id, asyncio.Semaphore(IN_FLIGHT))
        async with turn:
            await _until_taken(send)


async def _until_taken(call: Callable[[], Awaitable[None]]) -> None:
    while True:
        try:
            return await call()
        except RPCError as error:
            if error.status not in PASSING:
                raise
        except RuntimeError as error:  # what a client raises that has never reached a server
            raise ConnectionError(str(error)) from error
        await asyncio.sleep(PAUSE)
