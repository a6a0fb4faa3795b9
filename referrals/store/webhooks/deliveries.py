"""Webhook deliveries: create them, claim those that are due, and store the outcome of each attempt.

The activity log is the outbox. Each webhook stores the id of the last row that it has processed; a separate
transaction creates deliveries for the rows after it. Decisions write nothing for webhooks.

Claiming a delivery moves its `due_at` to the end of the claim. If the process dies, another process claims the
delivery after that.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, exists, func, literal, or_, select, true

from referrals.domain.event_names import OUTBOUND
from referrals.domain.webhook_retries import DISABLE_AFTER, DeliveryResponse, next_retry_delay
from referrals.store.db.columns import required
from referrals.store.db.sql import Tx, first, insert, literal_in, rows_of, scalars
from referrals.store.reporting import outgoing_events
from referrals.store.reporting.outgoing_events import event_id
from referrals.store.schema import (
    WebhookDeliveryRow,
    WebhookRow,
    activity,
    webhook_deliveries,
    webhooks,
)
from referrals.store.schema.base import Instant

CLAIM_TIMEOUT = timedelta(minutes=1)
"""Duration of a claim; longer than the timeout of an attempt."""
MAX_BATCH_SIZE = 2_000
"""Rows of the activity log that one transaction processes for a webhook."""

_PENDING = literal_in(webhook_deliveries.c.state, "pending")
_earlier = webhook_deliveries.alias("earlier")
_EARLIER_PENDING = (
    _earlier.c.webhook_id == webhook_deliveries.c.webhook_id,
    _earlier.c.subject == webhook_deliveries.c.subject,
    _earlier.c.activity_id < webhook_deliveries.c.activity_id,
    literal_in(_earlier.c.state, "pending"),
)
"""Conditions for an earlier event of the same subject that is still pending."""


@dataclass(frozen=True)
class DeliveryAttempt:
    """Delivery attempt that this process has claimed until `claimed_until`."""

    id: int
    claimed_until: datetime
    attempts: int
    webhook_id: str | None
    url: str
    secrets: tuple[str, ...]
    message_id: str
    event: dict[str, Any]


async def fan_out(tx: Tx, complete: int, now: datetime) -> bool:
    """Create deliveries for new rows of the activity log, up to the id `complete` below which no row is missing.

    Return whether any webhook had new rows; webhooks locked by another process are skipped.
    """
    behind = select(webhooks).where(webhooks.c.enabled, webhooks.c.last_activity_id < complete)
    unlocked = behind.with_for_update(key_share=True, skip_locked=True)
    found = await rows_of(tx, WebhookRow, unlocked)
    for webhook in found:
        last_id = min(complete, webhook.last_activity_id + MAX_BATCH_SIZE)
        new = and_(activity.c.id > webhook.last_activity_id, activity.c.id <= last_id)
        await tx.execute(_insert_deliveries(tx, webhook, new, now))
        await tx.execute(
            webhooks.update().where(webhooks.c.id == webhook.id).values(last_activity_id=last_id)
        )
    return bool(found)


async def has_new_activity(tx: Tx, complete: int) -> bool:
    """Return whether `fan_out` has something to do."""
    behind = select(webhooks.c.id).where(webhooks.c.enabled, webhooks.c.last_activity_id < complete)
    return await first(tx, behind.limit(1)) is not None


async def replay(
    tx: Tx,
    webhook: WebhookRow,
    now: datetime,
    *,
    since: datetime | None = None,
    events: Sequence[str] | None = None,
    deliveries: Sequence[int] | None = None,
) -> int:
    """Send deliveries, or all events since a time, again under the same ids; return how many.

    Pending deliveries of the webhook that wait for a retry become due at once, too.
    """
    own = webhook_deliveries.update().where(webhook_deliveries.c.webhook_id == webhook.id)
    reset = {"state": "pending", "attempts": 0, "due_at": now, "completed_at": None}
    waiting = own.where(_PENDING, webhook_deliveries.c.due_at > now + CLAIM_TIMEOUT)
    await tx.execute(waiting.values(due_at=now))
    if deliveries is not None:
        chosen = own.where(webhook_deliveries.c.id.in_(deliveries))
        return int((await tx.execute(chosen.values(reset))).rowcount)
    condition = and_(
        activity.c.id <= webhook.last_activity_id,
        activity.c.at >= since,
        activity.c.type.in_(events) if events else true(),
    )
    insertion = _insert_deliveries(tx, webhook, condition, now)
    insertion = insertion.on_conflict_do_update(
        index_elements=["webhook_id", "activity_id"], set_=reset
    )
    return int((await tx.execute(insertion)).rowcount)


def _insert_deliveries(
    tx: Tx, webhook: WebhookRow, condition: ColumnElement[bool], now: datetime
) -> Any:
    """Build the INSERT of deliveries for the matching rows that the webhook is subscribed to."""
    values = {
        "webhook_id": literal(webhook.id),
        "activity_id": activity.c.id,
        "campaign_id": activity.c.campaign_id,
        "type": activity.c.type,
        "subject": func.coalesce(
            activity.c.referral_id,
            activity.c.advocate_id,
            activity.c.customer_id,
            activity.c.campaign_id,
        ),
        "concurrency_group": literal(webhook.id),
        "state": literal("pending"),
        "attempts": literal(0),
        "due_at": literal(now, Instant),
        "created_at": literal(now, Instant),
    }
    found = select(*values.values()).where(
        condition, activity.c.type.in_(webhook.events or OUTBOUND)
    )
    if webhook.campaign_id is not None:
        found = found.where(activity.c.campaign_id == webhook.campaign_id)
    return insert(tx, webhook_deliveries).from_select(list(values), found.order_by(activity.c.id))


async def due_groups(tx: Tx, now: datetime) -> list[str]:
    """Return the concurrency groups with deliveries that are due."""
    return await scalars(
        tx, _select_due(now).with_only_columns(webhook_deliveries.c.concurrency_group).distinct()
    )


async def claim(
    tx: Tx, group: str, limit: int, now: datetime, *, source: str, secret: str | None
) -> list[DeliveryAttempt]:
    """Claim due deliveries of a concurrency group; of each subject, only the oldest pending event.

    `source` is the `source` of the CloudEvents. `secret` signs events sent to a URL instead of a webhook.
    """
    chosen = _select_due(now).where(
        webhook_deliveries.c.concurrency_group == group, ~exists().where(*_EARLIER_PENDING)
    )
    chosen = chosen.with_only_columns(webhook_deliveries.c.id).order_by(
        webhook_deliveries.c.due_at, webhook_deliveries.c.id
    )
    ids = await scalars(
        tx, chosen.limit(limit).with_for_update(of=webhook_deliveries, skip_locked=True)
    )
    if len(ids) < limit:
        await _postpone_blocked(tx, group, now)
    claimed = webhook_deliveries.c.id.in_(ids)
    await tx.execute(webhook_deliveries.update().where(claimed).values(due_at=now + CLAIM_TIMEOUT))
    statement = _with_webhooks().where(claimed).order_by(webhook_deliveries.c.id)
    found = await rows_of(tx, _DeliveryToWebhook, statement)
    events = await outgoing_events.load(tx, {row.activity_id for row in found}, source)
    return [
        DeliveryAttempt(
            id=row.id,
            claimed_until=required(row.due_at),
            attempts=row.attempts,
            webhook_id=row.webhook_id,
            url=row.url or row.webhook_url,
            secrets=signing_secrets(row, now) if row.webhook_id else tuple(filter(None, [secret])),
            message_id=row.key or event_id(row.activity_id),
            event=events[row.activity_id],
        )
        for row in found
    ]


async def _postpone_blocked(tx: Tx, group: str, now: datetime) -> None:
    """Move deliveries that wait for the retry of an earlier one to the time of that retry."""
    later = (*_EARLIER_PENDING, _earlier.c.due_at > now + CLAIM_TIMEOUT)
    until = select(func.max(_earlier.c.due_at)).where(*later).scalar_subquery()
    due = (
        webhook_deliveries.c.concurrency_group == group,
        _PENDING,
        webhook_deliveries.c.due_at <= now,
    )
    waiting = webhook_deliveries.update().where(*due, exists().where(*later))
    await tx.execute(waiting.values(due_at=until))


class _DeliveryToWebhook(WebhookDeliveryRow):
    """A delivery with its webhook, if it has one."""

    webhook_url: str
    secret: str
    old_secret: str | None
    old_secret_until: datetime | None


def signing_secrets(webhook: WebhookRow | _DeliveryToWebhook, now: datetime) -> tuple[str, ...]:
    """Return the current secret, and the previous one while it is valid."""
    old, until = webhook.old_secret, webhook.old_secret_until
    return (webhook.secret, old) if old and until and until > now else (webhook.secret,)


async def record_response(
    tx: Tx, attempt: DeliveryAttempt, response: DeliveryResponse, now: datetime, jitter: float
) -> str | None:
    """Store the outcome of an attempt. Return a warning for the operator, if there is one."""
    if response.accepted:
        recovered = and_(webhooks.c.id == attempt.webhook_id, webhooks.c.failing_since.is_not(None))
        await tx.execute(webhooks.update().where(recovered).values(failing_since=None))
        await _update_claimed(
            tx, attempt, response, state="delivered", due_at=None, completed_at=now
        )
        return None
    since = await _failing_since(tx, attempt.webhook_id, now)
    delay = next_retry_delay(attempt.attempts + 1, response, jitter)
    reason = _disable_reason(response, now, since, exhausted=delay is None)
    if reason is not None:
        # The delivery stays pending until the webhook is enabled again.
        await _update_claimed(tx, attempt, response, due_at=now)
        disabled = await disable(tx, str(attempt.webhook_id), *reason, now)
        return f"The webhook {attempt.webhook_id} is disabled. {reason[1]}" if disabled else None
    if delay is None:
        await _update_claimed(tx, attempt, response, state="failed", due_at=None, completed_at=now)
        return f"The webhook delivery {attempt.id} failed after its last attempt: {response.error}."
    await _update_claimed(tx, attempt, response, due_at=now + delay)
    return None


async def disable(tx: Tx, webhook_id: str, code: str, reason: str, now: datetime) -> bool:
    """Disable the webhook; pending deliveries wait until it is enabled. Return False if it was disabled already."""
    enabled = webhooks.update().where(webhooks.c.id == webhook_id, webhooks.c.enabled)
    values = {"enabled": False, "reason_code": code, "reason": reason, "disabled_at": now}
    return (await tx.execute(enabled.values(values))).rowcount > 0


def _disable_reason(
    response: DeliveryResponse, now: datetime, since: datetime | None, *, exhausted: bool
) -> tuple[str, str] | None:
    if since is None:
        return None
    if response.gone:
        return "gone", "The endpoint answered 410 Gone."
    if exhausted and since <= now - DISABLE_AFTER:
        began = f"{since:%Y-%m-%d %H:%M} UTC"
        return "failing", f"No delivery was accepted since {began}. Last error: {response.error}."
    return None


async def _failing_since(tx: Tx, webhook_id: str | None, now: datetime) -> datetime | None:
    """Return the time since which the webhook has accepted nothing; None if there is no webhook, or it was deleted."""
    failing = webhooks.update().where(webhooks.c.id == webhook_id)
    first_failure = func.coalesce(webhooks.c.failing_since, literal(now, Instant))
    row = await first(
        tx,
        failing.values(failing_since=first_failure).returning(webhooks.c.failing_since),
    )
    return row[0] if row else None


async def _update_claimed(
    tx: Tx, attempt: DeliveryAttempt, response: DeliveryResponse, **values: Any
) -> None:
    """Update the delivery, unless the claim has ended and another process has claimed it."""
    own = (
        webhook_deliveries.c.id == attempt.id,
        webhook_deliveries.c.due_at == attempt.claimed_until,
    )
    outcome = {"attempts": attempt.attempts + 1, "status": response.status, "error": response.error}
    await tx.execute(webhook_deliveries.update().where(*own).values(outcome | values))


def _select_due(now: datetime) -> Select[*tuple[Any, ...]]:
    """Select due deliveries, except those of disabled webhooks."""
    return _with_webhooks().where(
        _PENDING,
        webhook_deliveries.c.due_at <= now,
        or_(webhooks.c.id.is_(None), webhooks.c.enabled),
    )


def _with_webhooks() -> Select[*tuple[Any, ...]]:
    return select(
        webhook_deliveries,
        webhooks.c.url.label("webhook_url"),
        webhooks.c.secret,
        webhooks.c.old_secret,
        webhooks.c.old_secret_until,
    ).outerjoin(webhooks, webhooks.c.id == webhook_deliveries.c.webhook_id)
