"""Shares and clicks of the referral link."""

from datetime import datetime
from typing import Any

from referrals.domain.decisions import Reason, campaign_rejection, code_rejection
from referrals.domain.states import Decision
from referrals.store import answers, inbox, records, scenes, signups
from referrals.store.schema import shares
from referrals.store.sql import Tx


async def share(tx: Tx, event_id: str, now: datetime) -> dict[str, Any]:
    """Count a `referral_link_shared` by its channel, unless the code is of no use any more."""
    event = await inbox.claim(tx, event_id)
    if event.answer:
        return dict(event.answer)
    code = await scenes.published_code(tx, event.data["code"], event.campaign_id)
    if isinstance(code, Reason):
        return await answers.give(tx, event, Decision.REJECTED, reason=code)
    scene, found = await scenes.of_event(tx, event, code, now)
    at = inbox.moment(event, code, now)
    reason = code_rejection(signups.code_facts(code), signed_up=False, at=at) or campaign_rejection(
        scene.campaign, found.state, at
    )
    if reason:
        return await answers.give(tx, event, Decision.REJECTED, reason=reason)
    if event.type == "referral_link_shared":
        await tx.execute(
            shares.insert().values(
                event_id=event.id,
                advocate_id=scene.advocate.id,
                code=code.code,
                channel=event.data["channel"],
                at=at,
            )
        )
    await records.record(
        tx,
        scene,
        event.type,
        customer_id=scene.advocate.customer_id,
        data={"channel": event.data["channel"]} if "channel" in event.data else {},
        occurrence=event.id,
    )
    return await answers.give(tx, event, Decision.ACCEPTED)
