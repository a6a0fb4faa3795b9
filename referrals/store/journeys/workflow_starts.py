"""Workflows of other applications that journeys start: stored first, then started once, with the key as workflow id."""

from datetime import datetime

from referrals.domain.journey_steps import StartWorkflowStep
from referrals.errors import NotPossibleError, UnknownWorkflowStartError
from referrals.store.db import sql
from referrals.store.db.ids import new_id
from referrals.store.db.sql import Tx, insert, literal_in
from referrals.store.journeys import advocate_resumption
from referrals.store.journeys.journey_entry import JourneyEntry
from referrals.store.schema import WorkflowStartRow, workflow_starts


async def add(
    tx: Tx,
    entry: JourneyEntry,
    step: StartWorkflowStep,
    *,
    key: str,
    sender_id: str,
    now: datetime,
) -> None:
    """Store a workflow that the workflow `sender_id` then starts, once for each key."""
    context = entry.context
    await tx.execute(
        insert(tx, workflow_starts)
        .values(
            id=new_id("wfs"),
            key=key,
            campaign_id=context.campaign.campaign,
            advocate_id=context.advocate.id,
            referral_id=context.referral_id,
            sender_id=sender_id,
            type=step.type,
            task_queue=step.task_queue,
            namespace=step.namespace,
            activity_id=entry.activity_id,
            state="pending",
            created_at=now,
        )
        .on_conflict_do_nothing(index_elements=["key"])
    )


async def get(tx: Tx, start_id: str) -> WorkflowStartRow:
    return await sql.get(tx, workflow_starts, id=start_id)


async def complete(
    tx: Tx, start_id: str, state: str, now: datetime, reason: str | None = None
) -> None:
    """Mark a pending start as `started` or `failed`."""
    await tx.execute(
        workflow_starts.update()
        .where(workflow_starts.c.id == start_id, workflow_starts.c.state == "pending")
        .values(state=state, completed_at=now, reason=reason)
    )


async def retry(tx: Tx, start_id: str, actor: str, now: datetime) -> None:
    """Start a failed one again, by the workflow of its advocate.

    Raises:
        UnknownWorkflowStartError, NotPossibleError.
    """
    again = workflow_starts.update().where(
        workflow_starts.c.id == start_id, literal_in(workflow_starts.c.state, "failed")
    )
    waiting = again.values(state="pending", completed_at=None, reason=None)
    if not await advocate_resumption.hand_over(tx, workflow_starts, waiting, actor, now):
        await _refuse(tx, start_id)


async def drop(tx: Tx, start_id: str, now: datetime) -> None:
    """Give a failed start up; its error stays.

    Raises:
        UnknownWorkflowStartError, NotPossibleError.
    """
    failed = workflow_starts.update().where(
        workflow_starts.c.id == start_id, literal_in(workflow_starts.c.state, "failed")
    )
    if not (await tx.execute(failed.values(state="dropped", completed_at=now))).rowcount:
        await _refuse(tx, start_id)


async def _refuse(tx: Tx, start_id: str) -> None:
    row = await sql.find(tx, workflow_starts, id=start_id)
    if row is None:
        raise UnknownWorkflowStartError(start_id)
    raise NotPossibleError(f"The workflow start is {row.state}, not failed.")
