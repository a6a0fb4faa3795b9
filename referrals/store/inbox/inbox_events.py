"""Events and commands, each stored before anything else happens and processed once.

An event's id is unique per source; every repeat gets the response of the first processing. Rows carry no contact
details: those are stored with the customers.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import bindparam, exists, select

from referrals.domain.codes import code_key
from referrals.domain.events import Customer, Event, Friend
from referrals.domain.lenient_parsing import FieldWarning
from referrals.errors import EventIdReusedError
from referrals.store.customers import guests, profiles
from referrals.store.db.columns import required
from referrals.store.db.ids import new_id
from referrals.store.db.sql import (
    Tx,
    change,
    find,
    first_of,
    get,
    insert_once,
    literal_in,
    one,
    rows_of,
)
from referrals.store.schema import CodeRow, CustomerRow, InboxEventRow, customers, inbox_events

MAX_ATTEMPTS = 20
"""Attempts to process an event, over about eleven hours, before it is marked as failed. Outages do not count."""


async def store(
    tx: Tx,
    event: Event,
    actor: str,
    now: datetime,
    *,
    data: dict[str, Any],
    campaign_id: str | None,
    customer_id: str | None,
    effective_at: datetime | None,
) -> tuple[InboxEventRow, bool]:
    """Store the event unless it is there already.

    Returns its row, and whether it is new and no earlier event of its customer is queued.

    Raises:
        EventIdReusedError: The id belongs to another event of the source.
    """
    new = await _insert(
        tx,
        external_id=event.id,
        source=event.source,
        type=event.type,
        occurred_at=event.time,
        effective_at=effective_at,
        received_at=now,
        actor=actor,
        campaign_id=campaign_id,
        customer_id=customer_id,
        data=data,
        warnings=[warning.as_dict() for warning in event.warnings],
        left_out=list(event.left_out),
    )
    if new is not None:
        return new, not new.has_earlier_queued
    return required(await find_repeated(tx, event)), False


async def store_command(
    tx: Tx,
    kind: str,
    actor: str,
    now: datetime,
    *,
    data: dict[str, Any],
    campaign_id: str | None,
    customer_id: str,
    warnings: Sequence[FieldWarning] = (),
) -> InboxEventRow:
    """Store a command of an operator or a caller. Like an event, it is passed on by its id."""
    row = await _insert(
        tx,
        external_id=new_id(kind),
        source="api",
        type=kind,
        received_at=now,
        actor=actor,
        campaign_id=campaign_id,
        customer_id=customer_id,
        data=data,
        warnings=[warning.as_dict() for warning in warnings],
    )
    return required(row)


async def queue_commands(
    tx: Tx, kind: str, actor: str, now: datetime, commands: Iterable[dict[str, Any]]
) -> None:
    """Store commands that nobody waits for. Each has the keyword arguments of `store_command`."""
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
            **command,
        }
        for command in commands
    ]
    if values:
        await tx.execute(inbox_events.insert(), values)


async def store_click(
    tx: Tx, click_id: str, code: str, channel: str, campaign_id: str | None, now: datetime
) -> InboxEventRow | None:
    """Store a click of a referral link as an event; return None if it is stored already."""
    return await _insert(
        tx,
        external_id=click_id,
        source="link",
        type="referral_link_clicked",
        received_at=now,
        actor="visitor",
        campaign_id=campaign_id,
        data={"code": code, "channel": channel, "click": click_id},
    )


class _NewEventRow(InboxEventRow):
    has_earlier_queued: bool


async def _insert(tx: Tx, **values: Any) -> _NewEventRow | None:
    """Insert the event, unless its source has used the id before."""
    row = {"id": new_id("evt"), "state": "received", **values}
    insert = insert_once(tx, inbox_events, ("source", "external_id")).returning(*_NEW)
    return await first_of(tx, _NewEventRow, insert, of_customer=row.get("customer_id"), **row)


_OTHERS = inbox_events.alias()
_NEW = (
    *inbox_events.c,
    exists()
    .where(_OTHERS.c.customer_id == bindparam("of_customer"), _OTHERS.c.state == "queued")
    .label("has_earlier_queued"),
)
"""The new row; `has_earlier_queued` says whether an earlier event of its customer has to be processed first."""


async def find_repeated(tx: Tx, event: Event) -> InboxEventRow | None:
    """Return the row of an event that was received before, if any.

    Raises:
        EventIdReusedError: The id belongs to another event of the source.
    """
    row = await find(tx, inbox_events, source=event.source, external_id=event.id)
    if row and (differing := await _differing_fields(tx, row, event)):
        raise EventIdReusedError(event.id, event.source, differing)
    return row


async def _differing_fields(tx: Tx, row: InboxEventRow, event: Event) -> list[str]:
    """Return the fields in which the event has another type or subject than the stored one."""
    if row.type != event.type:
        return ["type"]
    role, person = event.person or (None, None)
    known = await _find_person(tx, row, person) if person else None
    order_id = row.data.get("order", {}).get("id")
    pairs = {
        f"data.{role}.id": (row.customer_id, known.id if known else None),
        "data.order.id": (order_id, event.order_id),
        "data.code": (code_key(row.data.get("code", "")), code_key(event.code or "")),
        "data.from": (row.data.get("from"), getattr(event.data, "merged", None)),
    }
    return [field for field, (stored, sent) in pairs.items() if stored != sent]


async def _find_person(tx: Tx, row: InboxEventRow, person: Customer | Friend) -> CustomerRow | None:
    """Find the customer whom a repeated event names; by a contact alone, only the one of the stored event."""
    if person.id is not None:
        return await profiles.find(tx, person.id)
    is_same = row.data.get("contact") == guests.event_contact(tx, person)
    return await profiles.get(tx, str(row.customer_id)) if is_same else None


async def warn(tx: Tx, event: InboxEventRow, field: str, message: str) -> InboxEventRow:
    """Add a warning that only the decision can give. Return the row with it."""
    warnings = [*event.warnings, {"field": field, "message": message}]
    await change(tx, inbox_events, event.id, warnings=warnings)
    return await get(tx, inbox_events, id=event.id)


def warnings_of(event: InboxEventRow) -> dict[str, Any]:
    """Return the warnings as the activity log shows them."""
    return {"warnings": event.warnings} if event.warnings else {}


def attribution_time(event: InboxEventRow, code: CodeRow, now: datetime) -> datetime:
    """Return the time of the event, or of the publication of its code if that is later."""
    at = occurred_at(event, now)
    return max(at, code.published_at) if code.published_at else at


def occurred_at(event: InboxEventRow, now: datetime) -> datetime:
    """Return the time that the event names, within its bounds, else the time of its receipt; at most `now`."""
    at: datetime = event.effective_at or event.received_at
    return min(at, now)


async def lock(tx: Tx, event_id: str) -> InboxEventRow:
    """Lock the event's row until the transaction ends."""
    return await get(tx, inbox_events, lock=True, id=event_id)


async def lock_with_customer(tx: Tx, event_id: str) -> InboxEventRow:
    """Lock the event's row and then its customer's, for a decision that changes the customer."""
    if tx.dialect.name != "postgresql":  # one writer at a time
        return await lock(tx, event_id)
    found = await first_of(tx, InboxEventRow, _WITH_CUSTOMER, event_id=event_id)
    # None is found where the lock waited for a merge, which gave the event to another customer.
    return found or await lock_with_customer(tx, event_id)


_WITH_CUSTOMER = (
    select(inbox_events)
    .join(customers, customers.c.id == inbox_events.c.customer_id)
    .where(inbox_events.c.id == bindparam("event_id"))
    .with_for_update(key_share=True, of=[inbox_events, customers])
)


async def save_response(tx: Tx, event_id: str, response: dict[str, Any]) -> None:
    """Save the response that every repeat gets. The event is processed once its workflow knows of it too."""
    await change(tx, inbox_events, event_id, response=response)


async def mark_processed(tx: Tx, event_id: str) -> dict[str, Any]:
    """Mark the event as processed. Returns its response."""
    return dict((await one(tx, _MARK_PROCESSED, row_id=event_id)).response or {})


_MARK_PROCESSED = (
    inbox_events.update()
    .where(inbox_events.c.id == bindparam("row_id"))
    .values(state="processed", error=None)
    .returning(inbox_events.c.response)
)


async def set_data(tx: Tx, event_id: str, data: dict[str, Any]) -> None:
    await change(tx, inbox_events, event_id, data=data)


async def postpone(tx: Tx, event_id: str, error: str, retry_at: datetime) -> None:
    """Queue the event for a retry from `retry_at`, without counting an attempt."""
    await _update_open(tx, event_id, state="queued", error=error, retry_at=retry_at)


async def queue(tx: Tx, event_id: str, retry_at: datetime) -> None:
    """Queue an event that has not been attempted yet."""
    await tx.execute(
        inbox_events.update()
        .where(inbox_events.c.id == event_id, inbox_events.c.state == "received")
        .values(state="queued", retry_at=retry_at)
    )


async def record_failed_attempt(tx: Tx, event_id: str, error: str, now: datetime) -> None:
    """Queue the event for a retry with exponential back-off, or mark it as failed after the last attempt."""
    attempts = (await lock(tx, event_id)).attempts + 1
    state = "failed" if attempts >= MAX_ATTEMPTS else "queued"
    retry_at = now + timedelta(seconds=min(2**attempts, 3600))
    await _update_open(tx, event_id, state=state, attempts=attempts, error=error, retry_at=retry_at)


async def mark_failed(tx: Tx, event_id: str, error: str) -> None:
    """Mark an event as failed that a retry would not help."""
    await _update_open(tx, event_id, state="failed", error=error)


async def _update_open(tx: Tx, event_id: str, error: str, **values: Any) -> None:
    await tx.execute(
        inbox_events.update()
        .where(inbox_events.c.id == event_id, inbox_events.c.state != "processed")
        .values(error=error[:1000], **values)
    )


async def find_due(tx: Tx, now: datetime, cut_off: datetime, limit: int) -> list[InboxEventRow]:
    """Find the events to process, oldest first: queued ones, and unprocessed ones received before `cut_off`.

    An event waits for earlier events of the same customer whose retry is not due yet.
    """
    queued = literal_in(inbox_events.c.state, "queued") & (inbox_events.c.retry_at <= now)
    abandoned = literal_in(inbox_events.c.state, "received") & (
        inbox_events.c.received_at < cut_off
    )
    earlier = inbox_events.alias()
    is_blocked = exists().where(
        earlier.c.customer_id == inbox_events.c.customer_id,
        earlier.c.id < inbox_events.c.id,
        earlier.c.state == "queued",
        earlier.c.retry_at > now,
    )
    is_open = literal_in(inbox_events.c.state, "received", "queued")
    due = select(inbox_events).where(is_open, queued | abandoned, ~is_blocked)
    statement = due.order_by(inbox_events.c.id).limit(limit)
    return list(await rows_of(tx, InboxEventRow, statement))


async def find_earlier_queued(tx: Tx, event: InboxEventRow) -> list[InboxEventRow]:
    """Find the earlier queued events of the same customer, which have to be processed first."""
    if event.customer_id is None:
        return []
    own = {"customer_id": event.customer_id, "event_id": event.id}
    return list(await rows_of(tx, InboxEventRow, _EARLIER_QUEUED, **own))


_EARLIER_QUEUED = (
    select(inbox_events)
    .where(
        inbox_events.c.customer_id == bindparam("customer_id"),
        inbox_events.c.state == "queued",
        inbox_events.c.id < bindparam("event_id"),
    )
    .order_by(inbox_events.c.id)
)
