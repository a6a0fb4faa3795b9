"""`/v1/deliveries`: events on their way to webhooks and to the URLs of journeys, and what to do with failed ones."""

from typing import Annotated, Any

from fastapi import APIRouter, Path, Query

from entrypoints.api.paging import AS_CSV, Paging
from entrypoints.api.problems import problems
from entrypoints.api.resources import AppResources, ResourcesDep
from entrypoints.api.routing import AuthenticatedRoute
from referrals.domain.event_fields import Text
from referrals.errors import (
    NotPossibleError,
    UnknownCampaignError,
    UnknownDeliveryError,
    UnknownWebhookError,
)
from referrals.store import views
from referrals.store.webhooks import delivery_lists
from referrals.store.webhooks.delivery_lists import DeliveryState, WebhookDelivery

router = APIRouter(route_class=AuthenticatedRoute, tags=["webhooks"])

DeliveryId = Annotated[int, Path(description="The delivery's id.", ge=1, lt=2**63)]
State = Annotated[DeliveryState | None, Query(description="Only deliveries in this state.")]
OfWebhook = Annotated[Text | None, Query(description="Only deliveries to this webhook.")]
OfCampaign = Annotated[Text | None, Query(description="Only deliveries of this campaign's events.")]


@router.get(
    "/deliveries",
    response_model=views.Page[WebhookDelivery],
    responses=AS_CSV | problems(UnknownWebhookError, UnknownCampaignError),
)
async def list_deliveries(
    resources: ResourcesDep,
    params: Paging,
    state: State = None,
    campaign: OfCampaign = None,
    webhook: OfWebhook = None,
) -> Any:
    """List the deliveries to all webhooks, and those of the `webhook` steps of journeys, newest first."""
    async with resources.store.read_long() as tx:
        page = await delivery_lists.list_deliveries(
            tx, params.cursor, webhook=webhook, campaign=campaign, state=state
        )
    return params.render(page, WebhookDelivery)


@router.get("/deliveries/{delivery}", responses=problems(UnknownDeliveryError))
async def get_delivery(delivery: DeliveryId, resources: ResourcesDep) -> WebhookDelivery:
    """Return one delivery with its last error."""
    return await _get(resources, delivery)


@router.post(
    "/deliveries/{delivery}/retry", responses=problems(UnknownDeliveryError, NotPossibleError)
)
async def retry_delivery(delivery: DeliveryId, resources: ResourcesDep) -> WebhookDelivery:
    """Send a failed delivery again, under the same `webhook-id`. To a disabled webhook it goes once that is enabled."""
    async with resources.store.begin() as tx:
        await delivery_lists.retry(tx, delivery, resources.clock())
    return await _get(resources, delivery)


@router.post(
    "/deliveries/{delivery}/drop", responses=problems(UnknownDeliveryError, NotPossibleError)
)
async def drop_delivery(delivery: DeliveryId, resources: ResourcesDep) -> WebhookDelivery:
    """Give a failed delivery up."""
    async with resources.store.begin() as tx:
        await delivery_lists.drop(tx, delivery, resources.clock())
    return await _get(resources, delivery)


async def _get(resources: AppResources, delivery: int) -> WebhookDelivery:
    async with resources.store.read() as tx:
        return await delivery_lists.get_delivery(tx, delivery)
