"""Storing an event before it is processed: contact details go to the customers, the rest into the inbox."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Row, select

from referrals.domain.clicks import code_from_click_id
from referrals.domain.event_names import INBOUND
from referrals.domain.events import (
    Customer,
    CustomerRegistered,
    Event,
    EventData,
    FriendConverted,
    FriendSignedUp,
    LinkShared,
    OrderReversed,
)
from referrals.domain.money import parse_amount
from referrals.domain.states import ReferralState
from referrals.errors import FieldError, InvalidEventError
from referrals.store import lookups
from referrals.store.campaigns import versions
from referrals.store.customers import profiles
from referrals.store.db.sql import Tx, find, first
from referrals.store.inbox import inbox_events
from referrals.store.schema import campaigns as campaigns_table
from referrals.store.schema import referrals

REDEMPTION = "referral_converted"

CLOCK_SKEW = timedelta(minutes=5)
"""By which a caller's clock may be ahead of ours."""


@dataclass(frozen=True)
class Received:
    """An event's row, new or one that stood already."""

    row: Row[Any]
    is_next: bool = False
    """It is new, and no earlier event of its customer waits."""
    by_code: Row[Any] | None = None
    """What its code told, where that was asked (see `lookups.find_campaign_of_code`)."""


async def receive(tx: Tx, event: Event, actor: str, now: datetime) -> Received:
    """Store the event; a repeat gets the row that stands. Raises InvalidEventError and EventIdReusedError."""
    if known := await inbox_events.known(tx, event):
        return Received(known)
    if event.time and event.time > now + CLOCK_SKEW:
        raise _invalid("time", "must not be in the future")
    if isinstance(event.data, OrderReversed):
        await _check_refund(tx, event.data)
    person = _person(event)
    customer_id = await profiles.upsert(tx, person, now) if person else None
    if isinstance(event.data, LinkShared) and event.data.friend:
        await profiles.upsert(tx, event.data.friend, now)
    named = await _named(tx, event.data.campaign)
    by_code = (
        None
        if named
        else await lookups.find_campaign_of_code(tx, _code_of(event.data), customer_id)
    )
    campaign_id = await _campaign(tx, event, named or by_code, customer_id)
    row, is_new = await inbox_events.receive(
        tx, event, actor, now, data=_data(event), campaign_id=campaign_id, customer_id=customer_id
    )
    return Received(row, is_new and not row.others_wait, by_code)


def _person(event: Event) -> Customer | None:
    if isinstance(event.data, CustomerRegistered):
        return event.data.customer
    return event.data.friend if isinstance(event.data, FriendSignedUp | FriendConverted) else None


def _data(event: Event) -> dict[str, Any]:
    """What is kept of `data`: all but the person."""
    kept = event.data.model_dump(mode="json", exclude={"friend", "customer"}, exclude_none=True)
    if not isinstance(event.data, FriendConverted):
        return kept
    more = event.data.model_extra or {}
    return {key: value for key, value in kept.items() if key not in more} | {"more": more}


async def _check_refund(tx: Tx, data: OrderReversed) -> None:
    """A refund of an order that is known is in its currency."""
    statement = (
        select(referrals.c.order_snapshot).where(referrals.c.order_id == data.order.id).limit(1)
    )
    row = await first(tx, statement)
    if row and data.order.amount:
        try:
            parse_amount(data.order.amount, row.order_snapshot["currency"])
        except ValueError as error:
            raise _invalid("data.order.amount", str(error)) from error


def _code_of(data: EventData) -> str | None:
    if isinstance(data, CustomerRegistered | OrderReversed):
        return None
    return data.code or (
        code_from_click_id(data.click) if isinstance(data, FriendSignedUp) else None
    )


async def _campaign(
    tx: Tx, event: Event, campaign: Row[Any] | None, customer_id: str | None
) -> str | None:
    """The campaign that the event is about: the one it names, else the code's, the friend's sign-up's, the click's."""
    if isinstance(event.data, FriendConverted):
        return await _converting(tx, event.type, event.data.click, campaign, customer_id)
    return str(campaign.id) if campaign else None


async def _named(tx: Tx, campaign_id: str | None) -> Row[Any] | None:
    if campaign_id is None:
        return None
    found = await find(tx, campaigns_table, id=campaign_id)
    if found is None:
        raise _invalid("data.campaign", f"there is no campaign {campaign_id}")
    return found


async def check_type(tx: Tx, raw: Any) -> None:
    """Check that the event's type is known, before any other field is reported. Raises InvalidEventError."""
    kind = raw.get("type") if isinstance(raw, dict) else None
    if isinstance(kind, str) and kind not in INBOUND and not await versions.converting_on(tx, kind):
        raise _invalid("type", f"unknown event type {kind[:80]}")


async def _converting(
    tx: Tx, kind: str, click: str | None, campaign: Row[Any] | None, customer_id: str | None
) -> str | None:
    """Its type must be the one that the campaign converts on."""
    wanted = "redemption" if kind == REDEMPTION else kind
    if campaign is None:
        await check_type(tx, {"type": kind})
        converting = await versions.converting_on(tx, wanted)
        return await _without_code(tx, converting, click, customer_id)
    converts_on = campaign.conversion_event
    if converts_on != wanted or campaign.state == "archived":
        await check_type(tx, {"type": kind})
    if converts_on != wanted:
        raise _invalid("type", f"the campaign {campaign.id} converts on {converts_on}")
    return str(campaign.id)


async def _without_code(
    tx: Tx, converting: list[str], click: str | None, customer_id: str | None
) -> str | None:
    """Where the friend has signed up, the last of several; else the click's; or else where they were referred before."""
    statement = (
        select(referrals.c.campaign_id, referrals.c.state)
        .where(referrals.c.friend_id == customer_id, referrals.c.campaign_id.in_(converting))
        .order_by((referrals.c.state == ReferralState.SIGNED_UP).desc(), referrals.c.id.desc())
        .limit(1)
    )
    referral = await first(tx, statement)
    clicked = await lookups.find_campaign_of_code(tx, code_from_click_id(click))
    signed_up = referral is not None and referral.state == ReferralState.SIGNED_UP
    if clicked and clicked.id in converting and not signed_up:
        return str(clicked.id)
    return str(referral.campaign_id) if referral else None


def _invalid(field: str, message: str) -> InvalidEventError:
    return InvalidEventError([FieldError(field, message)])
