"""Handing a stored event to the workflow that it belongs to: start it if need be, and wait for the decision."""

import asyncio
from collections.abc import Callable
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
from temporalio.service import RPCStatusCode

from activities.advocates import Advocate
from activities.referrals import Friend
from referrals.domain.temporal import (
    ADVOCATE_ATTRIBUTE,
    CAMPAIGN_ATTRIBUTE,
    QUEUE,
    advocate_workflow_id,
    referral_workflow_id,
)
from workflows.advocate import AdvocateWorkflow
from workflows.referral import ReferralWorkflow

IN_FLIGHT = 8
"""Updates of one workflow at a time; the server refuses more than ten."""

PASSING = {RPCStatusCode.ABORTED, RPCStatusCode.NOT_FOUND, RPCStatusCode.RESOURCE_EXHAUSTED}
"""What the server answers when a run ends just now, or is busy: the next try starts or finds another."""

PAUSE = 0.1
"""Seconds between such tries."""

CAMPAIGN = SearchAttributeKey.for_keyword(CAMPAIGN_ATTRIBUTE)
ADVOCATE = SearchAttributeKey.for_keyword(ADVOCATE_ATTRIBUTE)


class Dispatch:
    """Updates to the engine's workflows. Time-outs are the caller's to set; a late update still happens once."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._turns: WeakValueDictionary[str, asyncio.Semaphore] = WeakValueDictionary()

    async def referral(
        self,
        update: Any,
        event: Row[Any],
        *,
        friend_id: str,
        campaign_id: str,
        advocate_id: str | None = None,
        args: tuple[str, ...] = (),
    ) -> None:
        """An update of the friend's workflow in the campaign, with the event's id."""

        def start() -> WithStartWorkflowOperation[Any, Any]:
            return WithStartWorkflowOperation(
                ReferralWorkflow.run,
                Friend(campaign=campaign_id, friend=friend_id),
                id=referral_workflow_id(campaign_id, friend_id),
                task_queue=QUEUE,
                id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
                search_attributes=_attributes(campaign_id, advocate_id),
                priority=Priority(fairness_key=campaign_id),
            )

        workflow_id = referral_workflow_id(campaign_id, friend_id)
        await self._update(workflow_id, start, update, event, args)

    async def advocate(
        self, update: Any, event: Row[Any], *, customer_id: str, campaign_id: str
    ) -> None:
        """An update of the advocate's workflow in the campaign, with the event's id."""

        def start() -> WithStartWorkflowOperation[Any, Any]:
            return WithStartWorkflowOperation(
                AdvocateWorkflow.run,
                Advocate(campaign=campaign_id, customer=customer_id),
                id=advocate_workflow_id(campaign_id, customer_id),
                task_queue=QUEUE,
                id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
                search_attributes=_attributes(campaign_id, None),
                priority=Priority(fairness_key=campaign_id),
            )

        workflow_id = advocate_workflow_id(campaign_id, customer_id)
        await self._update(workflow_id, start, update, event, ())

    async def _update(
        self,
        workflow_id: str,
        start: Callable[[], WithStartWorkflowOperation[Any, Any]],
        update: Any,
        event: Row[Any],
        args: tuple[str, ...],
    ) -> None:
        turn = self._turns.setdefault(workflow_id, asyncio.Semaphore(IN_FLIGHT))
        async with turn:
            while True:
                try:
                    await self._client.execute_update_with_start_workflow(
                        update,
                        args=[event.id, *args],
                        # A failed attempt is remembered by its update id: the next one needs another.
                        id="-".join((event.id, *args, str(event.attempts))),
                        start_workflow_operation=start(),
                    )
                except RPCError as error:
                    if error.status not in PASSING:
                        raise
                    await asyncio.sleep(PAUSE)
                else:
                    return


def _attributes(campaign_id: str, advocate_id: str | None) -> TypedSearchAttributes:
    pairs: list[SearchAttributePair[Any]] = [SearchAttributePair(CAMPAIGN, campaign_id)]
    if advocate_id:
        pairs.append(SearchAttributePair(ADVOCATE, advocate_id))
    return TypedSearchAttributes(pairs)
