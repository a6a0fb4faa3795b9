"""Store an event before it is processed: contact details with the customers, the rest in the inbox."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import select

from referrals.domain.clicks import code_from_click_id
from referrals.domain.event_names import INBOUND
from referrals.domain.events import (
    Customer,
    CustomerMerged,
    Event,
    EventData,
    FriendConverted,
    FriendSignedUp,
    LinkShared,
)
from referrals.domain.order_events import OrderEvent
from referrals.domain.states import ReferralState
from referrals.errors import FieldError, InvalidEventError
from referrals.store import lookups
from referrals.store.campaigns import versions
from referrals.store.customers import guests, profiles
from referrals.store.db.sql import Tx, find, first_of
from referrals.store.inbox import inbox_events
from referrals.store.lookups import CampaignOfCode
from referrals.store.schema import CampaignRow, InboxEventRow, ReferralRow, referrals
from referrals.store.schema import campaigns as campaigns_table

REDEMPTION = "referral_converted"

MAX_CLOCK_SKEW = timedelta(minutes=5)
"""The time by which a caller's clock may be ahead of ours without a warning."""


@dataclass(frozen=True)
class Received:
    """The row of a new or repeated event.

    `is_next` is true for a new event that no earlier event of its customer has to precede, `converts` for a sign-up that is
    its campaign's conversion. `campaign_of_code` is set
    if the campaign was looked up by the event's code.
    """

    row: InboxEventRow
    is_next: bool = False
    converts: bool = False
    campaign_of_code: CampaignOfCode | None = None


async def receive(
    tx: Tx,
    event: Event,
    actor: str,
    now: datetime,
    max_age: timedelta,
    order_aliases: Mapping[str, str],
) -> Received:
    """Store the event; a repeat gets the row of the first one.

    Windows and holds count from the time that the event names, but at most from `max_age` before its receipt.
    `order_aliases` has the source of the orders that another source, such as a payment provider, refers to.

    Raises:
        InvalidEventError, EventIdReusedError.
    """
    if repeated := await inbox_events.find_repeated(tx, event):
        return Received(repeated)
    event, effective_at = _limit_time(event, now, max_age)
    customer_id = await _store_person(tx, event, now)
    if isinstance(event.data, LinkShared) and event.data.friend:
        await profiles.upsert(tx, event.data.friend, now)
    named, of_code = await _named_campaign(tx, event.campaign), None
    if named is None:
        of_code = await lookups.find_campaign_of_code(tx, _code_of(event.data), customer_id)
    campaign = named or of_code
    campaign_id = await _campaign_id(tx, event, campaign, customer_id)
    row, is_next = await inbox_events.store(
        tx,
        event,
        actor,
        now,
        data=_data(event, order_aliases) | _contact(tx, event),
        campaign_id=campaign_id,
        customer_id=customer_id,
        effective_at=effective_at,
    )
    converts = campaign is not None and campaign.conversion_event == event.type
    return Received(row, is_next, converts, of_code)


async def _store_person(tx: Tx, event: Event, now: datetime) -> str | None:
    """Store the person whom the event is about, and return the internal id."""
    if event.person is None:
        return None
    _, person = event.person
    if isinstance(person, Customer):
        return await profiles.upsert(tx, person, now)
    signs_up = isinstance(event.data, FriendSignedUp)
    return await guests.upsert_friend(tx, person, _code_of(event.data), now, signs_up=signs_up)


def _limit_time(event: Event, now: datetime, max_age: timedelta) -> tuple[Event, datetime | None]:
    """Return the event, with a warning if its time is out of bounds, and the time from which windows count."""
    if event.time is None:
        return event, None
    effective_at = min(max(event.time, now - max_age), now)
    warning = None
    if event.time < effective_at:
        warning = f"is too long ago; counts as {effective_at.isoformat(timespec='seconds')}"
    elif event.time > now + MAX_CLOCK_SKEW:
        warning = "is in the future; the time of receipt counts"
    return event.with_warning("time", warning) if warning else event, effective_at


def _data(event: Event, order_aliases: Mapping[str, str]) -> dict[str, Any]:
    """Return `data` without the person, with the sources under which its order may be known."""
    people = {"friend", "customer"}
    data = event.data.model_dump(mode="json", by_alias=True, exclude=people, exclude_none=True)
    if isinstance(event.data, CustomerMerged):
        return data | {"customer": event.data.customer.id}
    sources = {"order_sources": _order_sources(event, order_aliases)} if "order" in data else {}
    if not isinstance(event.data, FriendConverted):
        return data | sources
    more = event.data.model_extra or {}
    own = {key: value for key, value in data.items() if key not in more}
    return own | sources | {"more": more}


def _contact(tx: Tx, event: Event) -> dict[str, str]:
    """Return the digest of the contact of a person without an id, which may change before the event is repeated."""
    contact = guests.event_contact(tx, event.person[1]) if event.person else None
    return {"contact": contact} if contact else {}


def _order_sources(event: Event, aliases: Mapping[str, str]) -> list[str]:
    """Return the source of the event's order, and further sources under which the order may be known.

    Those of an order event are its source's alias; those of a conversion are the sources with its own as alias.
    """
    named: str | None = getattr(getattr(event.data, "order", None), "source", None)
    own = named or event.source
    if not isinstance(event.data, OrderEvent):
        return [own, *(alias for alias, source in aliases.items() if source == own)]
    return [own] if named or own not in aliases else [own, aliases[own]]


def _code_of(data: EventData) -> str | None:
    code: str | None = getattr(data, "code", None)
    return code or (code_from_click_id(data.click) if isinstance(data, FriendSignedUp) else None)


async def _campaign_id(
    tx: Tx, event: Event, campaign: CampaignRow | None, customer_id: str | None
) -> str | None:
    """Return the campaign that the event names, else that of its code, of the friend's sign-up, or of the click."""
    if isinstance(event.data, FriendConverted):
        return await _converting_campaign_id(
            tx, event.type, event.data.click, campaign, customer_id
        )
    return str(campaign.id) if campaign else None


async def _named_campaign(tx: Tx, campaign_id: str | None) -> CampaignRow | None:
    if campaign_id is None:
        return None
    found = await find(tx, campaigns_table, id=campaign_id)
    if found is None:
        raise _invalid("data.campaign", f"there is no campaign {campaign_id}")
    return found


async def check_type(tx: Tx, raw: Any) -> None:
    """Check that the event's type is known, before any other field is reported. Raises InvalidEventError."""
    kind = raw.get("type") if isinstance(raw, dict) else None
    if (
        isinstance(kind, str)
        and kind not in INBOUND
        and not await versions.list_converting_on(tx, kind)
    ):
        raise _invalid("type", f"unknown event type {kind[:80]}")


async def _converting_campaign_id(
    tx: Tx, kind: str, click: str | None, campaign: CampaignRow | None, customer_id: str | None
) -> str | None:
    """Return the campaign of a conversion. The event's type must be the one that the campaign converts on."""
    conversion_event = "redemption" if kind == REDEMPTION else kind
    if campaign is None:
        await check_type(tx, {"type": kind})
        converting = await versions.list_converting_on(tx, conversion_event)
        return await _campaign_id_without_code(tx, converting, click, customer_id)
    converts_on = campaign.conversion_event
    if converts_on != conversion_event:
        await check_type(tx, {"type": kind})
        raise _invalid("type", f"the campaign {campaign.id} converts on {converts_on}")
    return str(campaign.id)


async def _campaign_id_without_code(
    tx: Tx, converting: list[str], click: str | None, customer_id: str | None
) -> str | None:
    """Return the campaign of the friend's latest sign-up, else of the click, else of the friend's latest referral.

    An archived campaign, which rejects the conversion, comes after all others.
    """
    statement = (
        select(referrals.c.campaign_id, referrals.c.state)
        .join(campaigns_table, campaigns_table.c.id == referrals.c.campaign_id)
        .where(referrals.c.friend_id == customer_id, referrals.c.campaign_id.in_(converting))
        .order_by(
            campaigns_table.c.state == "archived",
            (referrals.c.state == ReferralState.SIGNED_UP).desc(),
            referrals.c.id.desc(),
        )
        .limit(1)
    )
    referral = await first_of(tx, ReferralRow, statement)
    clicked = await lookups.find_campaign_of_code(tx, code_from_click_id(click))
    signed_up = referral is not None and referral.state == ReferralState.SIGNED_UP
    clicked_counts = clicked and (clicked.state != "archived" or referral is None)
    if clicked and clicked_counts and clicked.id in converting and not signed_up:
        return str(clicked.id)
    return str(referral.campaign_id) if referral else None


def _invalid(field: str, message: str) -> InvalidEventError:
    return InvalidEventError([FieldError(field, message)])
