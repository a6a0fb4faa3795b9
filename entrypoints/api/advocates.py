"""`/v1/campaigns/{campaign}/advocates`: who refers friends, with their counts and rewards."""

from typing import Any

from fastapi import APIRouter

from entrypoints.api.paging import AS_CSV, Paging
from entrypoints.api.problems import problems
from entrypoints.api.resources import CampaignId, CustomerId, ResourcesDep
from entrypoints.api.routing import AuthenticatedRoute
from referrals.errors import UnknownAdvocateError, UnknownCampaignError
from referrals.store import views
from referrals.store.reporting import details

router = APIRouter(route_class=AuthenticatedRoute, tags=["advocates"])


@router.get(
    "/campaigns/{campaign}/advocates",
    response_model=views.Page[views.Advocate],
    responses=AS_CSV | problems(UnknownCampaignError),
)
async def list_advocates(campaign: CampaignId, resources: ResourcesDep, params: Paging) -> Any:
    """List the advocates of a campaign with their counts, newest first."""
    async with resources.store.read_long() as tx:
        page = await details.list_advocates(
            tx, campaign, params.cursor, resources.settings.public_url
        )
    return params.render(page, views.Advocate)


@router.get(
    "/campaigns/{campaign}/advocates/{customer}",
    responses=problems(UnknownCampaignError, UnknownAdvocateError),
)
async def get_advocate(
    campaign: CampaignId, customer: CustomerId, resources: ResourcesDep
) -> views.AdvocateDetails:
    """Return an advocate with code, counts, milestones, cooldown and latest rewards."""
    async with resources.store.read() as tx:
        return await details.get_advocate(
            tx, campaign, customer, resources.clock(), resources.settings.public_url
        )
