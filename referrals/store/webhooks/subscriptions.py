"""Webhook subscriptions: create, list, change, rotate the secret of and delete webhooks."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Select, func, select

from referrals.domain.event_names import OUTBOUND
from referrals.domain.field_docs import Described
from referrals.domain.webhook_signatures import new_webhook_secret
from referrals.errors import UnknownWebhookError
from referrals.store.activity import cursor
from referrals.store.campaigns.versions import require_campaign
from referrals.store.db.ids import new_id
from referrals.store.db.pages import Cursor, newest_first
from referrals.store.db.sql import Tx, find, first_of, rows_of
from referrals.store.reporting import lists
from referrals.store.schema import WebhookRow, webhook_deliveries
from referrals.store.schema import webhooks as table
from referrals.store.views import Page, Reason
from referrals.store.webhooks import deliveries


@dataclass(frozen=True)
class Webhook(Described):
    """Webhook in the API.

    Args:
        reason: Why the webhook is disabled.
        failing_since: Time since which no delivery was accepted, if deliveries fail.
        pending: Number of deliveries that wait.
        old_secret_until: Time until which deliveries are also signed with the previous secret.
    """

    id: str
    """Id of the webhook."""
    url: str
    """Endpoint that gets the events."""
    events: list[str]
    """Types of events that it gets."""
    campaign: str | None
    """Slug of the campaign whose events it gets; null for all."""
    enabled: bool
    """False if it was disabled, by an operator or after days of failures."""
    reason: Reason | None
    """Reason why it is disabled."""
    disabled_at: datetime | None
    """Time since which it is disabled."""
    failing_since: datetime | None
    """Time since which no delivery was accepted; null if deliveries succeed."""
    pending: int
    """Number of deliveries that wait."""
    old_secret_until: datetime | None
    """Time until which deliveries are also signed with the previous secret."""
    created_at: datetime
    """Time at which it was created."""


@dataclass(frozen=True)
class WebhookSecret(Webhook):
    """Webhook with its new secret, which is shown only once."""

    secret: str
    """Secret that deliveries are signed with (Standard Webhooks)."""


async def create(
    tx: Tx,
    url: str,
    events: Sequence[str] | None,
    campaign: str | None,
    actor: str,
    now: datetime,
) -> WebhookSecret:
    """Subscribe a URL to what happens from now on. Raises UnknownCampaignError."""
    if campaign is not None:
        await require_campaign(tx, campaign)
    webhook_id, secret = new_id("whk"), new_webhook_secret()
    await tx.execute(
        table.insert().values(
            id=webhook_id,
            url=url,
            events=sorted(events) if events else None,
            campaign_id=campaign,
            secret=secret,
            enabled=True,
            last_activity_id=await cursor.newest_id(tx),
            created_at=now,
            created_by=actor,
        )
    )
    return WebhookSecret(**vars(await get(tx, webhook_id)), secret=secret)


async def change(
    tx: Tx,
    webhook_id: str,
    values: dict[str, Any],
    actor: str,
    now: datetime,
    *,
    from_now: bool = False,
) -> Webhook:
    """Set `url`, `events`, `campaign_id` or `enabled`.

    A webhook that is enabled again continues where it stopped; with `from_now`, it skips what it missed.
    """
    row = await require(tx, webhook_id)
    if values.get("campaign_id") is not None:
        await require_campaign(tx, values["campaign_id"])
    enabled = values.pop("enabled", row.enabled)
    if values:
        await tx.execute(table.update().where(table.c.id == webhook_id).values(values))
    if row.enabled and not enabled:
        await deliveries.disable(tx, webhook_id, "operator", f"Disabled by {actor}.", now)
    elif enabled and not row.enabled:
        await _enable(tx, webhook_id, now, from_now=from_now)
    return await get(tx, webhook_id)


async def _enable(tx: Tx, webhook_id: str, now: datetime, *, from_now: bool) -> None:
    reset = {"enabled": True, "reason_code": None, "reason": None, "disabled_at": None}
    skipped = {"last_activity_id": await cursor.newest_id(tx)} if from_now else {}
    values = reset | {"failing_since": None} | skipped
    await tx.execute(table.update().where(table.c.id == webhook_id).values(values))
    waiting = webhook_deliveries.update().where(
        webhook_deliveries.c.webhook_id == webhook_id, webhook_deliveries.c.state == "pending"
    )
    if from_now:
        error = "skipped: the webhook was enabled without its backlog"
        failed = {"state": "failed", "due_at": None, "completed_at": now, "error": error}
        await tx.execute(waiting.values(failed))
    else:
        await tx.execute(waiting.values(attempts=0, due_at=now))


async def rotate(tx: Tx, webhook_id: str, keep: timedelta, now: datetime) -> WebhookSecret:
    """Create a new secret; for the duration `keep`, deliveries are also signed with the previous one."""
    row = await require(tx, webhook_id)
    secret = new_webhook_secret()
    values = {"secret": secret, "old_secret": row.secret, "old_secret_until": now + keep}
    await tx.execute(table.update().where(table.c.id == webhook_id).values(values))
    return WebhookSecret(**vars(await get(tx, webhook_id)), secret=secret)


async def delete(tx: Tx, webhook_id: str) -> None:
    """Delete the webhook and its deliveries; a delivery that is in flight still arrives."""
    await require(tx, webhook_id)
    deliveries = webhook_deliveries.c.webhook_id == webhook_id
    await tx.execute(webhook_deliveries.delete().where(deliveries))
    await tx.execute(table.delete().where(table.c.id == webhook_id))


async def require(tx: Tx, webhook_id: str) -> WebhookRow:
    """Lock and return the webhook's row. Raises UnknownWebhookError."""
    row = await find(tx, table, lock=True, id=webhook_id)
    if row is None:
        raise UnknownWebhookError(webhook_id)
    return row


async def get(tx: Tx, webhook_id: str) -> Webhook:
    row = await first_of(tx, _ListedWebhook, _select_webhooks().where(table.c.id == webhook_id))
    if row is None:
        raise UnknownWebhookError(webhook_id)
    return _to_webhook(row)


async def list_webhooks(tx: Tx, cursor: Cursor) -> Page[Webhook]:
    return await newest_first(
        tx, _select_webhooks(), (table.c.created_at, table.c.id), cursor, _to_webhook
    )


async def list_auto_disabled(tx: Tx) -> list[WebhookRow]:
    """Return `id` and `reason` of the webhooks that were disabled automatically."""
    statement = select(table.c.id, table.c.reason).where(
        table.c.enabled.is_(False), table.c.reason_code != "operator"
    )
    return list(await rows_of(tx, WebhookRow, statement.order_by(table.c.disabled_at)))


class _ListedWebhook(WebhookRow):
    pending: int


def _select_webhooks() -> Select[*tuple[Any, ...]]:
    pending = (
        select(func.count())
        .where(webhook_deliveries.c.webhook_id == table.c.id)
        .where(webhook_deliveries.c.state == "pending")
        .scalar_subquery()
    )
    return select(table, pending.label("pending"))


def _to_webhook(row: _ListedWebhook) -> Webhook:
    return Webhook(
        id=row.id,
        url=row.url,
        events=row.events or sorted(OUTBOUND),
        campaign=row.campaign_id,
        enabled=row.enabled,
        reason=lists.to_reason_view(row),
        disabled_at=row.disabled_at,
        failing_since=row.failing_since,
        pending=row.pending,
        old_secret_until=row.old_secret_until,
        created_at=row.created_at,
    )
