"""`/v1/campaigns/{campaign}/activity`: the activity log."""

from typing import Annotated, Any

from fastapi import APIRouter, Query
from pydantic import AfterValidator, AwareDatetime, Field

from entrypoints.api.filters import TextFilter
from entrypoints.api.paging import AS_CSV, Paging
from entrypoints.api.problems import problems
from entrypoints.api.resources import CampaignId, ResourcesDep
from entrypoints.api.routing import AuthenticatedRoute
from referrals.errors import UnknownCampaignError
from referrals.store import views
from referrals.store.reporting import lists

router = APIRouter(route_class=AuthenticatedRoute, tags=["activity"])


def _check_activity_type(kind: str) -> str:
    if kind not in views.ACTIVITY:
        raise ValueError("must be a type of activity, such as referral_converted")
    return kind


ActivityType = Annotated[
    str,
    AfterValidator(_check_activity_type),
    Field(json_schema_extra={"enum": sorted(views.ACTIVITY)}),
]


@router.get(
    "/campaigns/{campaign}/activity",
    response_model=views.Page[views.Activity],
    responses=AS_CSV | problems(UnknownCampaignError),
)
async def list_activity(
    campaign: CampaignId,
    resources: ResourcesDep,
    params: Paging,
    type: Annotated[ActivityType | None, Query()] = None,
    customer: TextFilter = None,
    referral: TextFilter = None,
    since: AwareDatetime | None = None,
) -> Any:
    """List what happened; `customer` filters by the customer concerned or by the advocate."""
    async with resources.store.read_long() as tx:
        page = await lists.list_activity(
            tx,
            campaign,
            params.cursor,
            kind=type,
            customer=customer,
            referral=referral,
            since=since,
        )
    return params.render(page, views.Activity)
