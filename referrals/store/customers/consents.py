"""What customers allow: for each channel and purpose a history that only grows, whose latest entry is in force.

Marketing needs a consent that was given. A service message goes to whoever has not opted out of them.
"""

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import Row, select

from referrals.store import views
from referrals.store.db.pages import Cursor, newest_first
from referrals.store.db.sql import Tx, first, insert, locked, rows
from referrals.store.schema import consents, customers, message_deliveries, messages
from referrals.store.views import Page

Purpose = Literal["service", "marketing"]
State = Literal["given", "withdrawn"]
Source = Literal["list", "api", "link", "whatsapp", "operator"]
"""`list` is the `consent` that comes with a customer, in an event or by PUT; all others are the customer's own word."""

CHANNELS = ("email", "whatsapp")
CurrentConsents = Mapping[tuple[str, str], Row[Any]]
"""By channel and purpose: the entry in force."""


async def history(tx: Tx, customer_id: str) -> list[Row[Any]]:
    """All of it, oldest first."""
    statement = select(consents).where(consents.c.customer_id == customer_id)
    return list(await rows(tx, statement.order_by(consents.c.at, consents.c.id)))


async def current_consents(tx: Tx, customer_id: str) -> CurrentConsents:
    return {(entry.channel, entry.purpose): entry for entry in await history(tx, customer_id)}


def is_allowed(found: CurrentConsents, channel: str, purpose: Purpose) -> bool:
    entry = found.get((channel, purpose))
    if entry is None:
        return purpose == "service"
    return bool(entry.state == "given")


async def record_consent(
    tx: Tx,
    customer_id: str,
    channel: str,
    purpose: Purpose,
    state: State,
    source: Source,
    at: datetime,
) -> None:
    """Told again, it changes nothing; told late, it counts from `at`.

    The customer is locked, as for a message that is about to be sent: one that was not claimed before sees it.
    """
    await tx.execute(locked(select(customers.c.id).where(customers.c.id == customer_id)))
    await tx.execute(
        insert(tx, consents)
        .values(
            customer_id=customer_id,
            channel=channel,
            purpose=purpose,
            state=state,
            source=source,
            at=at,
        )
        .on_conflict_do_nothing()
    )


async def apply_consent_list(
    tx: Tx, customer_id: str, listed: Collection[str], now: datetime
) -> None:
    """A customer came with a list of channels: marketing is allowed by those, and by no other that a list allowed.

    A list is repeated with every event, whatever the customer has said since: it never undoes a withdrawal, and never
    withdraws a consent, that came by another way.
    """
    found = await current_consents(tx, customer_id)
    for channel in CHANNELS:
        last = found.get((channel, "marketing"))
        if last and last.source != "list":
            continue
        state: State = "given" if channel in listed else "withdrawn"
        if state != (last.state if last else "withdrawn"):
            await record_consent(tx, customer_id, channel, "marketing", state, "list", now)


async def unsubscribe(tx: Tx, token: str, now: datetime) -> bool:
    """The customer wants no more messages like this one by the channels it came by; false where the link is unknown.

    One that is only kept in the log came by none of them: then by none at all. Whoever does not even want news of their own rewards wants no marketing either.
    """
    message = await _find_message(tx, token)
    if message is None:
        return False
    purposes: tuple[Purpose, ...] = (
        ("marketing",) if message.purpose == "marketing" else ("marketing", "service")
    )
    by = select(message_deliveries.c.channel).where(message_deliveries.c.message_id == message.id)
    came = [
        row.channel for row in await rows(tx, by.where(message_deliveries.c.channel.in_(CHANNELS)))
    ]
    for channel in came or CHANNELS:
        await _withdraw(tx, message.customer_id, channel, purposes, now)
    return True


async def _withdraw(
    tx: Tx, customer_id: str, channel: str, purposes: tuple[Purpose, ...], now: datetime
) -> None:
    """Clicked again, it is no news."""
    found = await current_consents(tx, customer_id)
    for purpose in purposes:
        last = found.get((channel, purpose))
        if last is None or (last.state, last.source) != ("withdrawn", "link"):
            await record_consent(tx, customer_id, channel, purpose, "withdrawn", "link", now)


async def _find_message(tx: Tx, token: str) -> Row[Any] | None:
    return await first(tx, select(messages).where(messages.c.unsubscribe_token == token))


async def is_unsubscribe_token(tx: Tx, token: str) -> bool:
    return await _find_message(tx, token) is not None


async def marketing_channels(tx: Tx, customer_id: str) -> list[str]:
    """The channels by which marketing is allowed now."""
    found = await current_consents(tx, customer_id)
    return [channel for channel in CHANNELS if is_allowed(found, channel, "marketing")]


async def list_history(tx: Tx, customer_id: str, cursor: Cursor) -> Page[views.Consent]:
    """The history as it is shown, newest first."""
    latest = {entry.id for entry in (await current_consents(tx, customer_id)).values()}

    def view(row: Row[Any]) -> views.Consent:
        return views.Consent(
            channel=row.channel,
            purpose=row.purpose,
            state=row.state,
            source=row.source,
            at=row.at,
            in_force=row.id in latest,
        )

    statement = select(consents).where(consents.c.customer_id == customer_id)
    return await newest_first(tx, statement, (consents.c.at, consents.c.id), cursor, view)
