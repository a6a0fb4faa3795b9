"""`/v1/campaigns/{campaign}/codes` and `/v1/codes/{code}`: referral codes."""

from typing import Annotated, Any

from fastapi import APIRouter, Path

from entrypoints.api.filters import TextFilter
from entrypoints.api.paging import AS_CSV, Paging
from entrypoints.api.problems import problems
from entrypoints.api.resources import CampaignId, ResourcesDep
from entrypoints.api.routing import AuthenticatedRoute
from referrals.domain.event_fields import Text
from referrals.errors import UnknownCampaignError, UnknownCodeError
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
    """List the codes of a campaign, newest first."""
    async with resources.store.read_long() as tx:
        page = await lists.list_codes(tx, campaign, params.cursor, customer=customer)
    return params.render(page, views.ReferralCode)


@router.get("/codes/{code}", responses=problems(UnknownCodeError))
async def get_code(
    code: Annotated[Text, Path(description="The referral code, in any spelling.")],
    resources: ResourcesDep,
) -> views.ReferralCodeDetails:
    """Return one code with its campaign, owner, state and link."""
    async with resources.store.read() as tx:
        return await lists.get_code(tx, code, resources.settings.public_url)
