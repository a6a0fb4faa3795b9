"""Deliveries to webhooks and of the `webhook` steps of journeys: lists, and commands for failed ones."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, cast

from sqlalchemy import ColumnElement, func, select

from referrals.domain.field_docs import Described
from referrals.errors import NotPossibleError, UnknownDeliveryError
from referrals.store.campaigns.versions import require_campaign
from referrals.store.db.pages import Cursor, newest_first
from referrals.store.db.sql import Tx, find, literal_in, one
from referrals.store.reporting.lists import match_filters
from referrals.store.reporting.outgoing_events import event_id
from referrals.store.schema import WebhookDeliveryRow, webhook_deliveries
from referrals.store.views import Page
from referrals.store.webhooks import subscriptions

DeliveryState = Literal["pending", "delivered", "failed", "dropped"]
RESET_ATTEMPTS = {"state": "pending", "attempts": 0, "completed_at": None}


@dataclass(frozen=True)
class WebhookDelivery(Described):
    """Delivery of an event to a webhook or, without a webhook, of a journey's step to a URL."""

    id: str
    """Id of the delivery."""
    webhook: str | None
    """Id of the webhook; null for a step of a journey."""
    url: str | None
    """URL of the journey's step; a webhook has its own."""
    campaign: str | None
    """Campaign that the event is about."""
    event: str
    """The `webhook-id`, the same in every attempt."""
    type: str
    """Type of the event."""
    activity: str
    """Id of the entry of the activity log."""
    state: DeliveryState
    """`failed` after the last attempt; `dropped` when an operator gave it up."""
    attempts: int
    """Number of attempts so far."""
    due_at: datetime | None
    """Time of the next attempt."""
    status: int | None
    """HTTP status of the last attempt; null if there was no response."""
    error: str | None
    """Error of the last attempt."""
    created_at: datetime
    """Time at which the delivery was created."""
    completed_at: datetime | None
    """Time at which it was delivered, failed or was dropped."""


async def list_deliveries(
    tx: Tx,
    cursor: Cursor,
    *,
    webhook: str | None = None,
    campaign: str | None = None,
    state: DeliveryState | None = None,
) -> Page[WebhookDelivery]:
    """List deliveries, newest first. Raises UnknownWebhookError, UnknownCampaignError."""
    if webhook is not None:
        await subscriptions.get(tx, webhook)
    if campaign is not None:
        await require_campaign(tx, campaign)
    filters: dict[ColumnElement[Any], str | None] = {
        webhook_deliveries.c.webhook_id: webhook,
        webhook_deliveries.c.campaign_id: campaign,
    }
    statement = select(webhook_deliveries).where(*match_filters(filters))
    if state is not None:
        statement = statement.where(literal_in(webhook_deliveries.c.state, state))
    return await newest_first(tx, statement, (webhook_deliveries.c.id,), cursor, _to_view)


async def get_delivery(tx: Tx, delivery_id: int) -> WebhookDelivery:
    """Return a delivery. Raises UnknownDeliveryError."""
    row = await find(tx, webhook_deliveries, id=delivery_id)
    if row is None:
        raise UnknownDeliveryError(delivery_id)
    return _to_view(row)


async def count_failed(tx: Tx) -> int:
    """Count the failed deliveries of all campaigns."""
    failed = literal_in(webhook_deliveries.c.state, "failed")
    return int((await one(tx, select(func.count(webhook_deliveries.c.id)).where(failed)))[0])


async def retry(tx: Tx, delivery_id: int, now: datetime) -> None:
    """Send a failed delivery again, under the same id; to a disabled webhook once that is enabled.

    Raises:
        UnknownDeliveryError, NotPossibleError.
    """
    await _change_failed(tx, delivery_id, RESET_ATTEMPTS | {"due_at": now})


async def drop(tx: Tx, delivery_id: int, now: datetime) -> None:
    """Give a failed delivery up; its error stays.

    Raises:
        UnknownDeliveryError, NotPossibleError.
    """
    await _change_failed(tx, delivery_id, {"state": "dropped", "completed_at": now})


async def _change_failed(tx: Tx, delivery_id: int, values: dict[str, Any]) -> None:
    failed = webhook_deliveries.update().where(
        webhook_deliveries.c.id == delivery_id, literal_in(webhook_deliveries.c.state, "failed")
    )
    if not (await tx.execute(failed.values(values))).rowcount:
        state = (await get_delivery(tx, delivery_id)).state
        raise NotPossibleError(f"The delivery is {state}, not failed.")


def _to_view(row: WebhookDeliveryRow) -> WebhookDelivery:
    return WebhookDelivery(
        id=str(row.id),
        webhook=row.webhook_id,
        url=row.url,
        campaign=row.campaign_id,
        event=row.key or event_id(row.activity_id),
        type=row.type,
        activity=str(row.activity_id),
        state=cast("DeliveryState", row.state),
        attempts=row.attempts,
        due_at=row.due_at,
        status=row.status,
        error=row.error,
        created_at=row.created_at,
        completed_at=row.completed_at,
    )
