"""`/v1/tracked-events`: events that journeys send to providers, and what to do with failed ones."""

from typing import Annotated, Any

from fastapi import APIRouter, Path

from entrypoints.api.filters import TextFilter
from entrypoints.api.paging import AS_CSV, Paging
from entrypoints.api.problems import problems
from entrypoints.api.resources import AppResources, Caller, CampaignId, ResourcesDep
from entrypoints.api.routing import AuthenticatedRoute
from referrals.domain.event_fields import Text
from referrals.domain.failure_causes import FailureCause
from referrals.errors import NotPossibleError, UnknownCampaignError, UnknownTrackedEventError
from referrals.store import views
from referrals.store.campaigns.versions import require_campaign
from referrals.store.journeys import tracked_events
from referrals.store.reporting import tracked_event_lists

router = APIRouter(route_class=AuthenticatedRoute, tags=["tracked events"])

EventId = Annotated[Text, Path(description="The tracked event's id.")]


@router.get(
    "/campaigns/{campaign}/tracked-events",
    response_model=views.Page[views.TrackedEvent],
    responses=AS_CSV | problems(UnknownCampaignError),
)
async def list_tracked_events(
    campaign: CampaignId,
    resources: ResourcesDep,
    params: Paging,
    state: views.TrackedEventState | None = None,
    customer: TextFilter = None,
    cause: FailureCause | None = None,
) -> Any:
    """List the events that the campaign's journeys send to providers."""
    async with resources.store.read_long() as tx:
        page = await tracked_event_lists.list_tracked_events(
            tx, campaign, params.cursor, state=state, customer=customer, cause=cause
        )
    return params.render(page, views.TrackedEvent)


@router.post("/campaigns/{campaign}/tracked-events/retry", responses=problems(UnknownCampaignError))
async def retry_tracked_events(
    campaign: CampaignId,
    resources: ResourcesDep,
    caller: Caller,
    cause: FailureCause | None = None,
) -> views.RetriedEvents:
    """Send the campaign's failed events again: all, or those of one cause."""
    async with resources.store.begin() as tx:
        await require_campaign(tx, campaign)
        which = tracked_events.of_campaign(campaign, cause)
        retried = await tracked_events.retry(tx, which, caller, resources.clock())
    return views.RetriedEvents(retried)


@router.post(
    "/tracked-events/{event}/retry", responses=problems(UnknownTrackedEventError, NotPossibleError)
)
async def retry_tracked_event(
    event: EventId, resources: ResourcesDep, caller: Caller
) -> views.TrackedEvent:
    """Send a failed event again."""
    async with resources.store.begin() as tx:
        await tracked_events.retry_one(tx, event, caller, resources.clock())
    return await _get(resources, event)


@router.post(
    "/tracked-events/{event}/drop", responses=problems(UnknownTrackedEventError, NotPossibleError)
)
async def drop_tracked_event(
    event: EventId,
    resources: ResourcesDep,
    caller: Caller,  # noqa: ARG001 - only for its authentication
) -> views.TrackedEvent:
    """Give a failed event up."""
    async with resources.store.begin() as tx:
        await tracked_events.drop(tx, event, resources.clock())
    return await _get(resources, event)


async def _get(resources: AppResources, event: str) -> views.TrackedEvent:
    async with resources.store.read() as tx:
        return await tracked_event_lists.get_tracked_event(tx, event)
