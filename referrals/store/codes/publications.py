"""Publication: assigning a code to an advocate. Source: Voucherify, "Referral code publication", "Join-once"."""

from datetime import datetime
from typing import Any

from sqlalchemy import Row, select

from referrals.domain.campaign import Campaign
from referrals.domain.codes import generate_code
from referrals.domain.qualification import campaign_rejection
from referrals.domain.reasons import RejectReason
from referrals.errors import NotPublishedError
from referrals.store.activity import log
from referrals.store.activity.log import Scene
from referrals.store.campaigns import versions
from referrals.store.customers import profiles
from referrals.store.db.ids import new_id
from referrals.store.db.sql import Tx, first, insert, locked, one
from referrals.store.inbox import inbox_events
from referrals.store.schema import advocates, codes

ATTEMPTS = 20
"""Tries to find a code that is not taken; a pattern this full needs more characters."""


async def publish(
    tx: Tx,
    campaign_id: str,
    customer_id: str,
    actor: str,
    now: datetime,
    *,
    wanted: str | None = None,
    channel: str | None = None,
) -> Row[Any]:
    """The customer's code in the campaign; with `join_once` always the same. Raises NotPublishedError."""
    found = await versions.in_force(tx, campaign_id)
    if found is None:
        raise NotPublishedError(f"There is no campaign {campaign_id}.", "unknown_campaign")
    advocate = await join(tx, campaign_id, customer_id, now)
    if found.campaign.code.join_once and (code := await code_of(tx, advocate.id)):
        return code
    if refused := campaign_rejection(found.campaign, found.state, now):
        raise NotPublishedError(refused.message, refused.code)
    code = await _assign(tx, found.campaign, advocate, now, wanted, channel)
    await profiles.mark_as_customer(tx, customer_id, now)
    scene = Scene(found.campaign, found.version, advocate, actor, now, code=code.code)
    await log.record(
        tx,
        scene,
        "code_published",
        customer_id=customer_id,
        data={"channel": channel} if channel else {},
        occurrence=code.code,
    )
    return code


async def publish_for(
    tx: Tx, event_id: str, campaign_id: str, customer_id: str, now: datetime
) -> Row[Any]:
    """The same, as an event or command asks for it; done again for the same one, it gives the same code."""
    event = await inbox_events.claim(tx, event_id)
    done: dict[str, str] = event.data.get("published", {})
    if campaign_id in done:
        return await one(tx, select(codes).where(codes.c.code == done[campaign_id]))
    asked = event.data.get("publish", {})
    code = await publish(
        tx,
        campaign_id,
        customer_id,
        event.actor,
        now,
        wanted=asked.get("code"),
        channel=asked.get("channel"),
    )
    published = done | {campaign_id: code.code}
    await inbox_events.set_data(tx, event_id, event.data | {"published": published})
    return code


async def join(tx: Tx, campaign_id: str, customer_id: str, now: datetime) -> Row[Any]:
    """The advocate, locked: what is decided about one advocate is decided one after another."""
    await tx.execute(
        insert(tx, advocates)
        .values(
            id=new_id("adv"),
            campaign_id=campaign_id,
            customer_id=customer_id,
            confirmed_count=0,
            created_at=now,
        )
        .on_conflict_do_nothing()
    )
    statement = select(advocates).where(
        advocates.c.campaign_id == campaign_id, advocates.c.customer_id == customer_id
    )
    return await one(tx, locked(statement))


async def code_of(tx: Tx, advocate_id: str) -> Row[Any] | None:
    """The advocate's code, the first where there are several."""
    return await first(
        tx,
        select(codes)
        .where(codes.c.advocate_id == advocate_id)
        .order_by(codes.c.published_at, codes.c.code)
        .limit(1),
    )


async def _assign(
    tx: Tx,
    campaign: Campaign,
    advocate: Row[Any],
    now: datetime,
    wanted: str | None,
    channel: str | None,
) -> Row[Any]:
    terms = campaign.code
    values = {
        "campaign_id": campaign.campaign,
        "advocate_id": advocate.id,
        "sole_code_of_advocate_id": advocate.id if terms.join_once else None,
        "state": "active",
        "uses": 0,
        "uses_limit": terms.uses,
        "expires_at": now + terms.valid_for if terms.valid_for else None,
        "published_at": now,
        "channel": channel,
        "created_at": now,
    }
    for _ in range(1 if wanted else ATTEMPTS):
        statement = insert(tx, codes).values(
            code=wanted or generate_code(terms.pattern, terms.charset), **values
        )
        statement = statement.on_conflict_do_nothing(index_elements=["code"])
        if row := await first(tx, statement.returning(codes)):
            return row
    if wanted:
        own = await first(
            tx, select(codes).where(codes.c.code == wanted, codes.c.advocate_id == advocate.id)
        )
        if own:
            return own
        raise NotPublishedError(f"The code {wanted} is taken.", "code_taken")
    raise NotPublishedError(
        f"No free code of the pattern {terms.pattern} is left.", RejectReason.CODE_EXHAUSTED
    )
