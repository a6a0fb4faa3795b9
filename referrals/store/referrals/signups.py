"""Sign-up: the friend is known and carries a code. And its end, when the attribution window closes."""

from dataclasses import replace
from datetime import datetime
from typing import Any

from sqlalchemy import Row

from referrals.domain.qualification import (
    CodeFacts,
    FriendFacts,
    campaign_rejection,
    code_rejection,
    friend_rejection,
)
from referrals.domain.reasons import Reason, RejectReason
from referrals.domain.states import Decision, ReferralState
from referrals.store import lookups
from referrals.store.activity import log
from referrals.store.activity.log import Scene
from referrals.store.codes import clicks
from referrals.store.codes.clicks import Attribution
from referrals.store.db.ids import new_id
from referrals.store.db.sql import Tx, add
from referrals.store.flow import responses
from referrals.store.inbox import inbox_events
from referrals.store.lookups import Met
from referrals.store.referrals.confirmation import set_state
from referrals.store.schema import referrals

EXPIRED = Reason(
    RejectReason.ATTRIBUTION_EXPIRED, "The attribution window closed before the friend converted."
)


async def sign_up(tx: Tx, event_id: str, now: datetime) -> dict[str, Any]:
    """Decide and record a `referral_signed_up`; the answer to a repeat is the first one."""
    return await decide(tx, await inbox_events.claim(tx, event_id), now)


async def decide(tx: Tx, event: Row[Any], now: datetime) -> dict[str, Any]:
    """The same for an event that is claimed, or that this transaction stores."""
    if event.response:
        return dict(event.response)
    met = await lookups.meet(tx, event, clicks.code_of(event.data) or "", now)
    if isinstance(met, Reason):
        return await responses.give(tx, event, Decision.REJECTED, reason=met)
    scene, found, code = met.scene, met.found, met.code
    at = inbox_events.moment(event, code, now)
    live = await open_referral(tx, met, at)
    if live and has_signed_up(live, code.code):
        return await responses.give(tx, event, Decision.ACCEPTED, referral_id=live.id)
    friend = friend_facts(met, at, live)
    attribution = await clicks.attribute(tx, event, code.code, at)
    ends_at = attribution.window_ends_at(found.campaign)
    reason = (
        code_rejection(code_facts(code), signed_up=False, at=at)
        or campaign_rejection(found.campaign, found.state, at)
        or friend_rejection(found.campaign, friend)
        or (clicks.TOO_OLD if ends_at <= at else None)
        or (EXPIRED if ends_at <= now else None)
    )
    if reason:
        return await reject(tx, scene, event, reason, live)
    referral_id = await _open(tx, scene, at, attribution)
    scene = replace(scene, referral_id=referral_id)
    await log.record(tx, scene, "referral_signed_up", data=attribution.told())
    return await responses.give(
        tx, event, Decision.ACCEPTED, referral_id=referral_id, promises=False
    )


async def reject(
    tx: Tx, scene: Scene, event: Row[Any], reason: Reason, referral: Row[Any] | None
) -> dict[str, Any]:
    """Refuse the event; a referral that the friend has goes on as it was."""
    await log.record(
        tx,
        replace(scene, referral_id=referral.id if referral else None),
        "referral_rejected",
        reason=reason,
        occurrence=event.id,
        data={"event": event.external_id},
    )
    referral_id = referral.id if referral else None
    return await responses.give(
        tx, event, Decision.REJECTED, referral_id=referral_id, reason=reason
    )


async def open_referral(tx: Tx, met: Met, at: datetime) -> Row[Any] | None:
    """The friend's live referral; a sign-up whose window was over at `at` expires here, before its timer."""
    scene, live = met.scene, met.live
    if live is None or live.state != ReferralState.SIGNED_UP or live.window_ends_at > at:
        return live
    advocate = await lookups.get_advocate(tx, live.advocate_id)
    await expire(tx, await lookups.scene_of(tx, live, advocate, scene.actor, scene.now))
    return None


async def expire(tx: Tx, scene: Scene) -> None:
    """The attribution window has closed without a conversion."""
    referral_id = str(scene.referral_id)
    await set_state(tx, referral_id, ReferralState.EXPIRED, closed_at=scene.now)
    await log.record(tx, scene, "referral_expired")


def code_facts(code: Row[Any]) -> CodeFacts:
    return CodeFacts(
        published=code.advocate_id is not None,
        active=code.state == "active",
        starts_at=code.starts_at,
        expires_at=code.expires_at,
        exhausted=code.uses_limit is not None and code.uses >= code.uses_limit,
    )


def friend_facts(
    met: Met, at: datetime, live: Row[Any] | None, *, order_used: bool = False
) -> FriendFacts:
    """What `live`, the friend's referral if any, and the friend's own row tell at `at`."""
    scene, friend = met.scene, met.friend
    assert friend is not None
    waiting = live is not None and live.state == ReferralState.SIGNED_UP
    return FriendFacts(
        is_advocate=scene.advocate.customer_id == friend.id,
        already_referred=live is not None and not waiting,
        order_used=order_used,
        existing_customer=friend.customer_since is not None and friend.customer_since < at,
        signed_up=has_signed_up(live, scene.code),
        signed_up_elsewhere=waiting and not has_signed_up(live, scene.code),
    )


def has_signed_up(live: Row[Any] | None, code: str | None) -> bool:
    """The friend signed up with this very code, and its window is open."""
    return live is not None and (live.state, live.code) == (ReferralState.SIGNED_UP, code)


async def _open(tx: Tx, scene: Scene, at: datetime, attribution: Attribution) -> str:
    referral_id = new_id("ref")
    row = {
        "id": referral_id,
        "campaign_id": scene.campaign.campaign,
        "version": scene.version,
        "advocate_id": scene.advocate.id,
        "friend_id": scene.friend_id,
        "code": scene.code,
        "state": ReferralState.SIGNED_UP,
        "signed_up_at": at,
        "window_ends_at": attribution.window_ends_at(scene.campaign),
        "click_id": attribution.click_id,
        "created_at": scene.now,
    }
    await add(tx, referrals, row)
    return referral_id
