"""Workflows of other applications that journeys start, as lists and commands show them."""

from typing import cast

from sqlalchemy import func, select

from referrals.errors import UnknownWorkflowStartError
from referrals.store import views
from referrals.store.campaigns.versions import require_campaign
from referrals.store.db.pages import Cursor, newest_first
from referrals.store.db.sql import Tx, find, literal_in, one
from referrals.store.reporting.lists import match_filters
from referrals.store.schema import WorkflowStartRow, workflow_starts
from referrals.store.views import Page


async def list_workflow_starts(
    tx: Tx,
    cursor: Cursor,
    *,
    campaign: str | None = None,
    state: views.WorkflowStartState | None = None,
) -> Page[views.WorkflowStart]:
    """List workflow starts, newest first. Raises UnknownCampaignError."""
    if campaign is not None:
        await require_campaign(tx, campaign)
    statement = select(workflow_starts).where(
        *match_filters({workflow_starts.c.campaign_id: campaign})
    )
    if state is not None:
        statement = statement.where(literal_in(workflow_starts.c.state, state))
    return await newest_first(tx, statement, (workflow_starts.c.id,), cursor, _to_view)


async def get_workflow_start(tx: Tx, start_id: str) -> views.WorkflowStart:
    """Return a workflow start. Raises UnknownWorkflowStartError."""
    row = await find(tx, workflow_starts, id=start_id)
    if row is None:
        raise UnknownWorkflowStartError(start_id)
    return _to_view(row)


async def count_failed(tx: Tx) -> int:
    """Count the failed starts of all campaigns."""
    failed = literal_in(workflow_starts.c.state, "failed")
    return int((await one(tx, select(func.count(workflow_starts.c.id)).where(failed)))[0])


def _to_view(row: WorkflowStartRow) -> views.WorkflowStart:
    return views.WorkflowStart(
        id=row.id,
        campaign=row.campaign_id,
        referral=row.referral_id,
        workflow=row.key,
        type=row.type,
        task_queue=row.task_queue,
        namespace=row.namespace,
        state=cast("views.WorkflowStartState", row.state),
        error=row.reason,
        created_at=row.created_at,
        completed_at=row.completed_at,
    )
