"""Workflows of other applications that journeys start: stored first, then started once, with the key as workflow id."""

from datetime import datetime
from typing import Any

from referrals.domain.journeys import StartWorkflowStep
from referrals.store.db import sql
from referrals.store.db.ids import new_id
from referrals.store.db.sql import Tx, insert
from referrals.store.schema import WorkflowStartRow, workflow_starts


async def add(
    tx: Tx,
    step: StartWorkflowStep,
    *,
    key: str,
    sender_id: str,
    event: dict[str, Any],
    now: datetime,
) -> None:
    """Store a workflow that the workflow `sender_id` then starts, once for each key."""
    await tx.execute(
        insert(tx, workflow_starts)
        .values(
            id=new_id("wfs"),
            key=key,
            campaign_id=event["data"]["campaign"],
            referral_id=event["data"].get("referral"),
            sender_id=sender_id,
            type=step.type,
            task_queue=step.task_queue,
            namespace=step.namespace,
            event=event,
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
