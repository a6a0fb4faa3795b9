"""`/v1/workflow-starts`: workflows of other applications that journeys start, and what to do with failed starts."""

from typing import Annotated, Any

from fastapi import APIRouter, Path, Query

from entrypoints.api.paging import AS_CSV, Paging
from entrypoints.api.problems import problems
from entrypoints.api.resources import AppResources, Caller, ResourcesDep
from entrypoints.api.routing import AuthenticatedRoute
from referrals.domain.event_fields import Text
from referrals.errors import (
    NotPossibleError,
    UnknownCampaignError,
    UnknownWorkflowStartError,
)
from referrals.store import views
from referrals.store.journeys import workflow_starts
from referrals.store.reporting import workflow_start_lists

router = APIRouter(route_class=AuthenticatedRoute, tags=["webhooks"])

StartId = Annotated[Text, Path(description="The workflow start's id.")]
State = Annotated[
    views.WorkflowStartState | None, Query(description="Only workflow starts in this state.")
]

OfCampaign = Annotated[
    Text | None, Query(description="Only workflows that this campaign's journeys start.")
]


@router.get(
    "/workflow-starts",
    response_model=views.Page[views.WorkflowStart],
    responses=AS_CSV | problems(UnknownCampaignError),
)
async def list_workflow_starts(
    resources: ResourcesDep, params: Paging, state: State = None, campaign: OfCampaign = None
) -> Any:
    """List the workflows that the `start_workflow` steps of journeys start, newest first."""
    async with resources.store.read_long() as tx:
        page = await workflow_start_lists.list_workflow_starts(
            tx, params.cursor, campaign=campaign, state=state
        )
    return params.render(page, views.WorkflowStart)


@router.get("/workflow-starts/{start}", responses=problems(UnknownWorkflowStartError))
async def get_workflow_start(start: StartId, resources: ResourcesDep) -> views.WorkflowStart:
    """Return one workflow start with its error."""
    return await _get(resources, start)


@router.post(
    "/workflow-starts/{start}/retry",
    responses=problems(UnknownWorkflowStartError, NotPossibleError),
)
async def retry_workflow_start(
    start: StartId, resources: ResourcesDep, caller: Caller
) -> views.WorkflowStart:
    """Start a failed one again, under the same workflow id: a workflow that has the id counts as started."""
    async with resources.store.begin() as tx:
        await workflow_starts.retry(tx, start, caller, resources.clock())
    return await _get(resources, start)


@router.post(
    "/workflow-starts/{start}/drop", responses=problems(UnknownWorkflowStartError, NotPossibleError)
)
async def drop_workflow_start(start: StartId, resources: ResourcesDep) -> views.WorkflowStart:
    """Give a failed workflow start up."""
    async with resources.store.begin() as tx:
        await workflow_starts.drop(tx, start, resources.clock())
    return await _get(resources, start)


async def _get(resources: AppResources, start: str) -> views.WorkflowStart:
    async with resources.store.read() as tx:
        return await workflow_start_lists.get_workflow_start(tx, start)
