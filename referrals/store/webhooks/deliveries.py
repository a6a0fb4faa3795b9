"""Deliveries: what goes out to webhooks, in which order, and what became of it.

The activity log is the outbox: a webhook has a position in it, and deliveries are made of the rows that follow,
afterwards, in a transaction of their own. What makes something happen writes nothing for webhooks.

A delivery is claimed by moving its `due_at` to when the claim ends. A process that dies leaves it to the next one.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Row, Select, and_, exists, func, literal, or_, select, true

from referrals.domain.cloud_events import build_cloud_event
from referrals.domain.event_names import OUTBOUND
from referrals.domain.webhook_retries import DISABLE_AFTER, DeliveryResponse, next_retry_delay
from referrals.store import views
from referrals.store.db.sql import Tx, first, insert, rows, scalars, written
from referrals.store.reporting import lists
from referrals.store.schema import activity, webhook_deliveries, webhooks
from referrals.store.schema.base import Instant

CLAIM = timedelta(minutes=1)
"""For one attempt; more than it may take."""
CHUNK = 2_000
"""Rows of the log that one transaction goes through."""

_PENDING = written(webhook_deliveries.c.state, "pending")
_earlier = webhook_deliveries.alias("earlier")
_BEFORE = (
    _earlier.c.webhook_id == webhook_deliveries.c.webhook_id,
    _earlier.c.subject == webhook_deliveries.c.subject,
    _earlier.c.activity_id < webhook_deliveries.c.activity_id,
    written(_earlier.c.state, "pending"),
)
"""An earlier event of the same subject that is not settled."""


@dataclass(frozen=True)
class Outgoing:
    """One attempt that is this process's to make until `until`."""

    id: int
    until: datetime
    attempts: int
    webhook: str | None
    url: str
    secrets: tuple[str, ...]
    message: str
    event: dict[str, Any]


async def fan_out(tx: Tx, complete: int, now: datetime) -> bool:
    """Make deliveries of what the webhooks' positions are behind, up to an id below which nothing is missing.

    Whether there was something to do that no other process is doing.
    """
    behind = select(webhooks).where(webhooks.c.enabled, webhooks.c.last_activity_id < complete)
    found = await rows(tx, behind.with_for_update(key_share=True, skip_locked=True))
    for webhook in found:
        upto = min(complete, webhook.last_activity_id + CHUNK)
        new = and_(activity.c.id > webhook.last_activity_id, activity.c.id <= upto)
        await tx.execute(_make(tx, webhook, new, now))
        await tx.execute(
            webhooks.update().where(webhooks.c.id == webhook.id).values(last_activity_id=upto)
        )
    return bool(found)


async def is_behind(tx: Tx, complete: int) -> bool:
    """Whether `fan_out` has something to do."""
    behind = select(webhooks.c.id).where(webhooks.c.enabled, webhooks.c.last_activity_id < complete)
    return await first(tx, behind.limit(1)) is not None


async def replay(
    tx: Tx,
    webhook: Row[Any],
    now: datetime,
    *,
    since: datetime | None = None,
    events: Sequence[str] | None = None,
    deliveries: Sequence[int] | None = None,
) -> int:
    """Send again, under the same ids, these deliveries or what happened since; returns how many.

    What waits for its next attempt is tried at once, too.
    """
    mine = webhook_deliveries.update().where(webhook_deliveries.c.webhook_id == webhook.id)
    again = {"state": "pending", "attempts": 0, "due_at": now, "completed_at": None}
    waiting = mine.where(_PENDING, webhook_deliveries.c.due_at > now + CLAIM)
    await tx.execute(waiting.values(due_at=now))
    if deliveries is not None:
        chosen = mine.where(webhook_deliveries.c.id.in_(deliveries))
        return int((await tx.execute(chosen.values(again))).rowcount)
    which = and_(
        activity.c.id <= webhook.last_activity_id,
        activity.c.at >= since,
        activity.c.type.in_(events) if events else true(),
    )
    made = _make(tx, webhook, which, now)
    made = made.on_conflict_do_update(index_elements=["webhook_id", "activity_id"], set_=again)
    return int((await tx.execute(made)).rowcount)


def _make(tx: Tx, webhook: Row[Any], which: ColumnElement[bool], now: datetime) -> Any:
    """INSERT deliveries of those of these rows that the webhook is subscribed to."""
    values = {
        "webhook_id": literal(webhook.id),
        "activity_id": activity.c.id,
        "type": activity.c.type,
        "subject": func.coalesce(
            activity.c.referral_id, activity.c.advocate_id, activity.c.customer_id
        ),
        "concurrency_group": literal(webhook.id),
        "state": literal("pending"),
        "attempts": literal(0),
        "due_at": literal(now, Instant),
        "created_at": literal(now, Instant),
    }
    found = select(*values.values()).where(which, activity.c.type.in_(webhook.events or OUTBOUND))
    if webhook.campaign_id is not None:
        found = found.where(activity.c.campaign_id == webhook.campaign_id)
    return insert(tx, webhook_deliveries).from_select(list(values), found.order_by(activity.c.id))


async def due_lanes(tx: Tx, now: datetime) -> list[str]:
    """Where something may be claimed."""
    return await scalars(
        tx, _open(now).with_only_columns(webhook_deliveries.c.concurrency_group).distinct()
    )


async def claim(
    tx: Tx, which: str, most: int, now: datetime, *, source: str, secret: str | None
) -> list[Outgoing]:
    """Take the attempts that are due in a lane; of each subject only the oldest event that is not settled.

    `source` is that of the CloudEvents, and `secret` signs what goes to no webhook.
    """
    chosen = _open(now).where(
        webhook_deliveries.c.concurrency_group == which, ~exists().where(*_BEFORE)
    )
    chosen = chosen.with_only_columns(webhook_deliveries.c.id).order_by(
        webhook_deliveries.c.due_at, webhook_deliveries.c.id
    )
    ids = await scalars(
        tx, chosen.limit(most).with_for_update(of=webhook_deliveries, skip_locked=True)
    )
    if len(ids) < most:
        await _postpone(tx, which, now)
    mine = webhook_deliveries.c.id.in_(ids)
    await tx.execute(webhook_deliveries.update().where(mine).values(due_at=now + CLAIM))
    found = await rows(tx, _with_webhooks().where(mine).order_by(webhook_deliveries.c.id))
    happened = await _happened(tx, [row.activity_id for row in found])
    return [
        Outgoing(
            id=row.id,
            until=row.due_at,
            attempts=row.attempts,
            webhook=row.webhook_id,
            url=row.url or row.webhook_url,
            secrets=secrets_of(row, now) if row.webhook_id else tuple(filter(None, [secret])),
            message=row.key or message_id(row.activity_id),
            event=row.event or _event(happened[row.activity_id], source),
        )
        for row in found
    ]


async def _postpone(tx: Tx, which: str, now: datetime) -> None:
    """What waits for one that is tried again later need not be looked at before that."""
    later = (*_BEFORE, _earlier.c.due_at > now + CLAIM)
    until = select(func.max(_earlier.c.due_at)).where(*later).scalar_subquery()
    due = (
        webhook_deliveries.c.concurrency_group == which,
        _PENDING,
        webhook_deliveries.c.due_at <= now,
    )
    waiting = webhook_deliveries.update().where(*due, exists().where(*later))
    await tx.execute(waiting.values(due_at=until))


def secrets_of(webhook: Row[Any], now: datetime) -> tuple[str, ...]:
    """The newest, and the one before for as long as it is good."""
    old = webhook.old_secret_until is not None and webhook.old_secret_until > now
    return (webhook.secret, webhook.old_secret) if old else (webhook.secret,)


def message_id(activity_id: int) -> str:
    """The `webhook-id` and the CloudEvent's id: the same to every webhook and in every attempt."""
    return f"act_{activity_id}"


async def settle(
    tx: Tx, sent: Outgoing, answer: DeliveryResponse, now: datetime, chance: float
) -> str | None:
    """Note an attempt. Returns what an operator has to know of, if there is something."""
    if answer.accepted:
        recovered = and_(webhooks.c.id == sent.webhook, webhooks.c.failing_since.is_not(None))
        await tx.execute(webhooks.update().where(recovered).values(failing_since=None))
        await _note(tx, sent, answer, state="delivered", due_at=None, completed_at=now)
        return None
    since = await _failing_since(tx, sent.webhook, now)
    gap = next_retry_delay(sent.attempts + 1, answer, chance)
    reason = _why_disabled(answer, now, since, spent=gap is None)
    if reason is not None:
        # It stays pending, for when the webhook is enabled again.
        await _note(tx, sent, answer, due_at=now)
        disabled = await disable(tx, str(sent.webhook), *reason, now)
        return f"The webhook {sent.webhook} is disabled. {reason[1]}" if disabled else None
    if gap is None:
        await _note(tx, sent, answer, state="failed", due_at=None, completed_at=now)
        return f"The webhook delivery {sent.id} is given up: {answer.error}."
    await _note(tx, sent, answer, due_at=now + gap)
    return None


async def disable(tx: Tx, webhook_id: str, code: str, reason: str, now: datetime) -> bool:
    """Send nothing more until it is enabled again; what is pending waits. False where it is disabled already."""
    enabled = webhooks.update().where(webhooks.c.id == webhook_id, webhooks.c.enabled)
    values = {"enabled": False, "reason_code": code, "reason": reason, "disabled_at": now}
    return (await tx.execute(enabled.values(values))).rowcount > 0


def _why_disabled(
    answer: DeliveryResponse, now: datetime, since: datetime | None, *, spent: bool
) -> tuple[str, str] | None:
    if since is None:
        return None
    if answer.gone:
        return "gone", "The endpoint answered 410: it wants no more."
    if spent and since <= now - DISABLE_AFTER:
        began = f"{since:%Y-%m-%d %H:%M} UTC"
        return "failing", f"Nothing was accepted since {began}; at last: {answer.error}."
    return None


async def _failing_since(tx: Tx, webhook_id: str | None, now: datetime) -> datetime | None:
    """Since when a webhook has accepted nothing; None for what goes to none, or to one that was deleted."""
    failing = webhooks.update().where(webhooks.c.id == webhook_id)
    first_failure = func.coalesce(webhooks.c.failing_since, literal(now, Instant))
    row = await first(
        tx,
        failing.values(failing_since=first_failure).returning(webhooks.c.failing_since),
    )
    return row.failing_since if row else None


async def _note(tx: Tx, sent: Outgoing, answer: DeliveryResponse, **values: Any) -> None:
    """Unless its claim has ended and another process has it."""
    mine = (webhook_deliveries.c.id == sent.id, webhook_deliveries.c.due_at == sent.until)
    told = {"attempts": sent.attempts + 1, "status": answer.status, "error": answer.error}
    await tx.execute(webhook_deliveries.update().where(*mine).values(told | values))


def _open(now: datetime) -> Select[Any]:
    """Due, and not of a webhook that is disabled."""
    return _with_webhooks().where(
        _PENDING,
        webhook_deliveries.c.due_at <= now,
        or_(webhooks.c.id.is_(None), webhooks.c.enabled),
    )


def _with_webhooks() -> Select[Any]:
    return select(
        webhook_deliveries,
        webhooks.c.url.label("webhook_url"),
        webhooks.c.secret,
        webhooks.c.old_secret,
        webhooks.c.old_secret_until,
    ).outerjoin(webhooks, webhooks.c.id == webhook_deliveries.c.webhook_id)


async def _happened(tx: Tx, ids: Sequence[int | None]) -> dict[int, Row[Any]]:
    wanted = [number for number in ids if number is not None]
    if not wanted:
        return {}
    found = await rows(tx, lists.select_activity().where(activity.c.id.in_(wanted)))
    return {row.id: row for row in found}


def _event(row: Row[Any], source: str) -> dict[str, Any]:
    """As the API's list of activity has it. Customers go by the caller's ids; nothing else of them goes out."""
    told = asdict(lists.of_activity(row))
    data = {name: told[name] for name in told if name not in ("id", "type", "at")}
    subject = row.referral_id or row.advocate or row.customer
    event = build_cloud_event(message_id(row.id), source, row.type, row.at, subject, data)
    return dict(views.with_zulu_times(event))
