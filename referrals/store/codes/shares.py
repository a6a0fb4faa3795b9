"""Shares and clicks of the referral link."""

from datetime import datetime
from typing import Any

from sqlalchemy import Row

from referrals.domain.qualification import campaign_rejection, code_rejection
from referrals.domain.reasons import Reason
from referrals.domain.states import Decision
from referrals.store import lookups
from referrals.store.activity import log
from referrals.store.codes.clicks import new_click
from referrals.store.db.sql import Tx
from referrals.store.flow import responses
from referrals.store.inbox import inbox_events
from referrals.store.referrals import signups
from referrals.store.schema import clicks, shares


async def share(tx: Tx, event_id: str, now: datetime) -> dict[str, Any]:
    """Count a share or click of the link by its channel, unless the code is of no use any more."""
    event = await inbox_events.claim(tx, event_id)
    if event.response:
        return dict(event.response)
    met = await lookups.meet(tx, event, event.data["code"], now)
    if isinstance(met, Reason):
        return await responses.give(tx, event, Decision.REJECTED, reason=met)
    scene, code = met.scene, met.code
    at = inbox_events.moment(event, code, now)
    reason = code_rejection(signups.code_facts(code), signed_up=False, at=at) or campaign_rejection(
        scene.campaign, met.found.state, at
    )
    if reason:
        return await responses.give(tx, event, Decision.REJECTED, reason=reason)
    await log.record(
        tx,
        scene,
        event.type,
        customer_id=scene.advocate.customer_id,
        data=await _count(tx, event, code, at),
        occurrence=event.id,
    )
    return await responses.give(tx, event, Decision.ACCEPTED)


async def _count(tx: Tx, event: Row[Any], code: Row[Any], at: datetime) -> dict[str, str]:
    """Returns what is told of it."""
    channel = event.data.get("channel", "link")
    values = {"advocate_id": code.advocate_id, "code": code.code, "channel": channel, "at": at}
    if event.type == "referral_link_shared":
        await tx.execute(shares.insert().values(event_id=event.id, **values))
        return {"channel": channel}
    click = event.data.get("click") or new_click(code.code)
    await tx.execute(clicks.insert().values(id=click, campaign_id=code.campaign_id, **values))
    return {"channel": channel, "click": click}
