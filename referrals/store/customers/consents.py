"""Consents of customers: an append-only history per channel and purpose, of which the latest entry is in force.

Marketing needs a consent. Service messages need none, but the customer can opt out of them.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from sqlalchemy import select

from referrals.store import views
from referrals.store.customers import survivors
from referrals.store.db.pages import Cursor, newest_first
from referrals.store.db.sql import Tx, find, insert, rows_of, scalars
from referrals.store.schema import (
    ConsentRow,
    CustomerRow,
    consents,
    message_deliveries,
    messages,
)
from referrals.store.views import Page

Purpose = Literal["service", "marketing"]
State = Literal["given", "withdrawn"]
Source = Literal["list", "api", "link", "whatsapp", "http", "operator"]
"""`list` is the field `consent` of a customer, in an event or by PUT; all others are explicit statements."""

CHANNELS = ("email", "whatsapp", "http")
CurrentConsents = Mapping[tuple[str, str], ConsentRow]
"""The entry in force by channel and purpose."""


async def history(tx: Tx, customer_id: str) -> list[ConsentRow]:
    """Return all entries, oldest first."""
    statement = select(consents).where(consents.c.customer_id == customer_id)
    return list(await rows_of(tx, ConsentRow, statement.order_by(consents.c.at, consents.c.id)))


async def current_consents(tx: Tx, customer_id: str) -> CurrentConsents:
    return {(entry.channel, entry.purpose): entry for entry in await history(tx, customer_id)}


def is_allowed(current: CurrentConsents, channel: str, purpose: Purpose) -> bool:
    entry = current.get((channel, purpose))
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
    """Add an entry that counts from `at`; adding the same entry twice changes nothing.

    Locks the customer, as sending does, so that every attempt to send that begins later respects the entry.
    """
    customer = await survivors.lock(tx, customer_id)
    await tx.execute(
        insert(tx, consents)
        .values(
            customer_id=customer.id,
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
    """Allow marketing on the listed channels, and withdraw it on others that an earlier list had allowed.

    The list is repeated with every event, whatever the customer has stated since. Therefore it never overrides an entry
    from another source.
    """
    current = await current_consents(tx, customer_id)
    for channel in CHANNELS:
        last = current.get((channel, "marketing"))
        if last and last.source != "list":
            continue
        state: State = "given" if channel in listed else "withdrawn"
        if state != (last.state if last else "withdrawn"):
            await record_consent(tx, customer_id, channel, "marketing", state, "list", now)


@dataclass(frozen=True)
class Subscription:
    """Messages that the unsubscribe link of one of them ends."""

    customer: CustomerRow
    campaign_id: str
    """Campaign of the message with the link; the others may be of other campaigns."""
    purpose: Purpose
    channels: list[str]
    """Channels through which the message was sent; empty if it was sent on none, for all channels."""


async def find_subscription(tx: Tx, token: str) -> Subscription | None:
    """Return what an unsubscribe link ends; None if the token is unknown."""
    message = await find(tx, messages, unsubscribe_token=token)
    if message is None or message.customer_id is None:
        return None
    customer = await survivors.get_survivor(tx, message.customer_id)
    purpose: Purpose = "marketing" if message.purpose == "marketing" else "service"
    channels = await _delivery_channels(tx, message.id)
    return Subscription(customer, message.campaign_id, purpose, channels)


async def unsubscribe(tx: Tx, token: str, now: datetime) -> Subscription | None:
    """End messages of the same purpose on the channels through which the message was sent.

    If it was sent on none of them, end them on all channels. Unsubscribing from service messages also ends marketing.
    Return None if the token is unknown.
    """
    subscription = await find_subscription(tx, token)
    if subscription:
        for channel in subscription.channels or CHANNELS:
            await _withdraw(tx, subscription, channel, now)
    return subscription


async def _delivery_channels(tx: Tx, message_id: str) -> list[str]:
    statement = select(message_deliveries.c.channel).where(
        message_deliveries.c.message_id == message_id, message_deliveries.c.channel.in_(CHANNELS)
    )
    return await scalars(tx, statement.order_by(message_deliveries.c.channel))


async def _withdraw(tx: Tx, subscription: Subscription, channel: str, now: datetime) -> None:
    customer_id = subscription.customer.id
    current = await current_consents(tx, customer_id)
    purposes: tuple[Purpose, ...] = (
        ("marketing",) if subscription.purpose == "marketing" else ("marketing", "service")
    )
    for purpose in purposes:
        last = current.get((channel, purpose))
        if last is None or (last.state, last.source) != ("withdrawn", "link"):
            await record_consent(tx, customer_id, channel, purpose, "withdrawn", "link", now)


async def marketing_channels(tx: Tx, customer_id: str) -> list[str]:
    """Return the channels on which marketing is allowed now."""
    current = await current_consents(tx, customer_id)
    return [channel for channel in CHANNELS if is_allowed(current, channel, "marketing")]


async def list_history(tx: Tx, customer_id: str, cursor: Cursor) -> Page[views.Consent]:
    """List the history, newest first."""
    latest = {entry.id for entry in (await current_consents(tx, customer_id)).values()}

    def to_view(row: ConsentRow) -> views.Consent:
        return views.Consent(
            channel=row.channel,
            purpose=row.purpose,
            state=row.state,
            source=row.source,
            at=row.at,
            in_force=row.id in latest,
        )

    statement = select(consents).where(consents.c.customer_id == customer_id)
    return await newest_first(tx, statement, (consents.c.at, consents.c.id), cursor, to_view)
