"""`/v1/campaigns/{campaign}/codes`: the referral codes of a campaign."""

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

router = APIRouter(route_class=AuthenticatedRoute, tags=["codes"])


@router.get(
    "/campaigns/{campaign}/codes",
    response_model=views.Page[views.ReferralCode],
    responses=AS_CSV | problems(UnknownCampaignError),
)
async def list_codes(
    campaign: CampaignId, resources: ResourcesDep, params: Paging, customer: TextFilter = None
) -> Any:
    async with resources.store.read_long() as tx:
        page = await lists.list_codes(tx, campaign, params.cursor, customer=customer)
    return params.render(page, views.ReferralCode)
