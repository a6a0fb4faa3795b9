"""Events as they came in, and commands: each is a row before anything else happens, and is processed once.

The caller's event id is unique; the answer to its first processing is the answer to every repeat. Rows carry no
contact details: those are moved to the customers.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Row, bindparam, exists, select

from referrals.domain.events import Event
from referrals.errors import EventIdReusedError
from referrals.store.db.ids import new_id
from referrals.store.db.sql import Tx, adding, change, find, first, get, one, rows, written
from referrals.store.schema import inbox_events

MOST_ATTEMPTS = 20
"""Of processing an event that fails for a reason of its own, over some hours."""


async def receive(
    tx: Tx,
    event: Event,
    actor: str,
    now: datetime,
    *,
    data: dict[str, Any],
    campaign_id: str | None,
    customer_id: str | None,
) -> tuple[Row[Any], bool]:
    """The event's row, and whether it is new or the one that stands; raises EventIdReusedError."""
    row, is_new = await _insert(
        tx,
        external_id=event.id,
        source=event.source,
        type=event.type,
        occurred_at=event.time,
        received_at=now,
        actor=actor,
        campaign_id=campaign_id,
        customer_id=customer_id,
        data=data,
    )
    if (row.source, row.type) != (event.source, event.type):
        raise EventIdReusedError(event.id)
    return row, is_new


async def command(
    tx: Tx,
    kind: str,
    actor: str,
    now: datetime,
    *,
    data: dict[str, Any],
    campaign_id: str,
    customer_id: str,
) -> Row[Any]:
    """What an operator or a caller asks for, kept like an event, so that it travels by its id too."""
    row, _ = await _insert(
        tx,
        external_id=new_id(kind),
        source="api",
        type=kind,
        received_at=now,
        actor=actor,
        campaign_id=campaign_id,
        customer_id=customer_id,
        data=data,
    )
    return row


async def queue_commands(
    tx: Tx, kind: str, actor: str, now: datetime, commands: Iterable[dict[str, Any]]
) -> None:
    """Commands that nobody waits for: they are drained. Each is what `command` takes."""
    values = [
        {
            "id": new_id("evt"),
            "external_id": new_id(kind),
            "source": "api",
            "type": kind,
            "received_at": now,
            "actor": actor,
            "state": "queued",
            "retry_at": now,
            **asked,
        }
        for asked in commands
    ]
    if values:
        await tx.execute(inbox_events.insert(), values)


async def click(
    tx: Tx, click_id: str, code: str, channel: str, campaign_id: str | None, now: datetime
) -> Row[Any]:
    """A visit of a referral link; each is one event."""
    row, _ = await _insert(
        tx,
        external_id=click_id,
        source="link",
        type="referral_link_clicked",
        received_at=now,
        actor="visitor",
        campaign_id=campaign_id,
        data={"code": code, "channel": channel, "click": click_id},
    )
    return row


async def _insert(tx: Tx, **values: Any) -> tuple[Row[Any], bool]:
    row = {"id": new_id("evt"), "state": "received", **values}
    insert = adding(tx, inbox_events, ("external_id",)).returning(*_NEW)
    new = await first(tx, insert, whose=row.get("customer_id"), **row)
    return new or await get(tx, inbox_events, external_id=row["external_id"]), new is not None


_OTHERS = inbox_events.alias()
_NEW = (
    *inbox_events.c,
    exists()
    .where(_OTHERS.c.customer_id == bindparam("whose"), _OTHERS.c.state == "queued")
    .label("others_wait"),
)
"""A new row, and in `others_wait` whether there is an earlier one of its customer to go first."""


async def known(tx: Tx, event: Event) -> Row[Any] | None:
    """The row of an event that came before; raises EventIdReusedError."""
    row = await find(tx, inbox_events, external_id=event.id)
    if row and (row.source, row.type) != (event.source, event.type):
        raise EventIdReusedError(event.id)
    return row


def moment(event: Row[Any], code: Row[Any], now: datetime) -> datetime:
    """When the event happened, but not before its code was published."""
    at = happened(event, now)
    return max(at, code.published_at) if code.published_at else at


def happened(event: Row[Any], now: datetime) -> datetime:
    """As the event says, else when it was received; however late it is processed, but not later than now."""
    at: datetime = event.occurred_at or event.received_at
    return min(at, now)


async def claim(tx: Tx, event_id: str) -> Row[Any]:
    """The event, locked until this transaction ends."""
    return await get(tx, inbox_events, lock=True, id=event_id)


async def answer(tx: Tx, event_id: str, answer: dict[str, Any]) -> None:
    """It is decided: this is the answer from now on. What follows from it may still be to do, until it is closed."""
    await change(tx, inbox_events, event_id, response=answer)


async def close(tx: Tx, event_id: str) -> dict[str, Any]:
    """Processed: its workflow knows. Returns the answer."""
    return dict((await one(tx, _CLOSE, row_id=event_id)).response or {})


_CLOSE = (
    inbox_events.update()
    .where(inbox_events.c.id == bindparam("row_id"))
    .values(state="processed", error=None)
    .returning(inbox_events.c.response)
)


async def set_data(tx: Tx, event_id: str, data: dict[str, Any]) -> None:
    await change(tx, inbox_events, event_id, data=data)


async def postpone(tx: Tx, event_id: str, error: str, retry_at: datetime) -> None:
    """Keep it for the drain, which tries it again from `retry_at`."""
    await _leave(tx, event_id, state="queued", error=error, retry_at=retry_at)


async def wait(tx: Tx, event_id: str, retry_at: datetime) -> None:
    """Queue it where an earlier event of the same customer holds it up: nothing was tried yet."""
    await tx.execute(
        inbox_events.update()
        .where(inbox_events.c.id == event_id, inbox_events.c.state == "received")
        .values(state="queued", retry_at=retry_at)
    )


async def attempt_failed(tx: Tx, event_id: str, error: str, now: datetime) -> None:
    """Try it again later and later; in the end it is parked as failed, in sight."""
    attempts = (await claim(tx, event_id)).attempts + 1
    state = "failed" if attempts >= MOST_ATTEMPTS else "queued"
    retry_at = now + timedelta(seconds=min(2**attempts, 3600))
    await _leave(tx, event_id, state=state, attempts=attempts, error=error, retry_at=retry_at)


async def park(tx: Tx, event_id: str, error: str) -> None:
    """It cannot be done; trying again would not help."""
    await _leave(tx, event_id, state="failed", error=error)


async def _leave(tx: Tx, event_id: str, error: str, **values: Any) -> None:
    await tx.execute(
        inbox_events.update()
        .where(inbox_events.c.id == event_id, inbox_events.c.state != "processed")
        .values(error=error[:1000], **values)
    )


async def waiting(tx: Tx, now: datetime, cut_off: datetime, limit: int) -> list[Row[Any]]:
    """Events to drain, oldest first: queued ones, and those received before `cut_off` that nobody answered.

    Without those that come after an event of the same customer that is not to be tried yet.
    """
    queued = written(inbox_events.c.state, "queued") & (inbox_events.c.retry_at <= now)
    cut = written(inbox_events.c.state, "received") & (inbox_events.c.received_at < cut_off)
    earlier = inbox_events.alias()
    held_up = exists().where(
        earlier.c.customer_id == inbox_events.c.customer_id,
        earlier.c.id < inbox_events.c.id,
        earlier.c.state == "queued",
        earlier.c.retry_at > now,
    )
    is_open = written(inbox_events.c.state, "received", "queued")
    due = select(inbox_events).where(is_open, queued | cut, ~held_up)
    statement = due.order_by(inbox_events.c.id).limit(limit)
    return list(await rows(tx, statement))


async def queued_before(tx: Tx, event: Row[Any]) -> list[Row[Any]]:
    """Earlier events of the same customer that still wait: they go first."""
    if event.customer_id is None:
        return []
    found = await rows(tx, _QUEUED_BEFORE, customer_id=event.customer_id, event_id=event.id)
    return list(found)


_QUEUED_BEFORE = (
    select(inbox_events)
    .where(
        inbox_events.c.customer_id == bindparam("customer_id"),
        inbox_events.c.state == "queued",
        inbox_events.c.id < bindparam("event_id"),
    )
    .order_by(inbox_events.c.id)
)
