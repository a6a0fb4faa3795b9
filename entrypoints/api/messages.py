"""`/v1/campaigns/{campaign}/messages`: what was sent, what waits, and what failed."""

from typing import Any

from fastapi import APIRouter

from entrypoints.api.filters import TextFilter
from entrypoints.api.paging import AS_CSV, Paging
from entrypoints.api.problems import problems
from entrypoints.api.resources import CampaignId, ResourcesDep
from entrypoints.api.routing import AuthenticatedRoute
from referrals.errors import UnknownCampaignError
from referrals.store import views
from referrals.store.reporting import lists

router = APIRouter(route_class=AuthenticatedRoute, tags=["messages"])


@router.get(
    "/campaigns/{campaign}/messages",
    response_model=views.Page[views.Message],
    responses=AS_CSV | problems(UnknownCampaignError),
)
async def list_messages(
    campaign: CampaignId,
    resources: ResourcesDep,
    params: Paging,
    state: views.MessageState | None = None,
    customer: TextFilter = None,
) -> Any:
    """List the messages of a campaign: sent, waiting and failed, newest first."""
    async with resources.store.read_long() as tx:
        page = await lists.list_messages(
            tx, campaign, params.cursor, state=state, customer=customer
        )
    return params.render(page, views.Message)
