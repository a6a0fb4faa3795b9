"""Conversion: one transaction that qualifies, records, and — where nothing is to be waited for — confirms and rewards.

Sources: design ("Finer points"); Voucherify ("marks the customer as referred the moment the redemption is successful").
"""

from dataclasses import replace
from datetime import datetime
from typing import Any

from sqlalchemy import Row, func, select

from referrals.domain.decisions import Places, Reason, due_at, qualify
from referrals.domain.events import Order
from referrals.domain.states import (
    CLOSED_WITHOUT_CONVERSION,
    PLACED,
    Decision,
    ReferralState,
    RejectReason,
)
from referrals.store import (
    answers,
    campaigns,
    conditions,
    customers,
    inbox,
    orders,
    records,
    scenes,
    settlement,
    signups,
)
from referrals.store.campaigns import CampaignInForce
from referrals.store.ids import new_id
from referrals.store.records import Scene
from referrals.store.reversals import reassess
from referrals.store.schema import campaigns as campaigns_table
from referrals.store.schema import codes, referrals
from referrals.store.sql import Tx, one


async def convert(tx: Tx, event_id: str, now: datetime) -> dict[str, Any]:
    """Decide and record a conversion; the answer to a repeat is the first one."""
    event = await inbox.claim(tx, event_id)
    if event.answer:
        return dict(event.answer)
    order = Order.model_validate(event.data["order"]) if event.data.get("order") else None
    order_row = await orders.lock(tx, order.id) if order else None
    code, reason = await _code(tx, event, now)
    if code is None or code.advocate_id is None:
        if reason:
            return await _reject_without_code(tx, event, reason)
        return await signups.reject_unknown(tx, event, code)
    at = inbox.moment(event, code, now)
    scene, found = await _scene(tx, event, code, now)
    live = await signups.open_referral(tx, scene, at)
    signed_up = (
        live is not None and live.state == ReferralState.SIGNED_UP and live.code == code.code
    )
    if live and signed_up:
        campaign = await campaigns.at_version(tx, live.campaign_id, live.version)
        scene = replace(scene, campaign=campaign, version=live.version, referral_id=live.id)
    verdict = await _qualify(tx, scene, found, live, order, event, at, signed_up=signed_up)
    if isinstance(verdict, Reason):
        return await _reject(tx, scene, event, verdict, live, order)
    referral = await _accept(tx, scene, event, order, verdict, at)
    scene = replace(scene, referral_id=referral.id)
    await _go_on(tx, scene, referral)
    taken_back = await reassess(tx, scene, order_row) if order_row is not None else None
    await customers.became_customer(tx, str(scene.friend_id), now)
    return await answers.give(
        tx,
        event,
        answers.decision_for((await scenes.get_referral(tx, referral.id)).state),
        referral_id=referral.id,
        reason=taken_back,
    )


async def _code(tx: Tx, event: Row[Any], now: datetime) -> tuple[Row[Any] | None, Reason | None]:
    """The conversion's code, or the sign-up's where it names none."""
    at = min(event.occurred_at or now, now)
    if event.data.get("code"):
        return await scenes.find_code(tx, event.data["code"]), None
    latest = await scenes.latest_referral(tx, event.campaign_id, event.customer_id)
    if latest is None:
        message = "The event carries no code, and the friend has not signed up with one."
        return None, Reason(RejectReason.UNKNOWN_CODE, message)
    over = latest.state == ReferralState.SIGNED_UP and latest.window_ends_at <= at
    if over or latest.state in CLOSED_WITHOUT_CONVERSION:
        return None, signups.EXPIRED
    return await scenes.find_code(tx, latest.code), None


async def _reject_without_code(tx: Tx, event: Row[Any], reason: Reason) -> dict[str, Any]:
    return await answers.give(tx, event, Decision.REJECTED, reason=reason)


async def _scene(
    tx: Tx, event: Row[Any], code: Row[Any], now: datetime
) -> tuple[Scene, CampaignInForce]:
    advocate = await scenes.lock_advocate(tx, code.advocate_id)
    found = await campaigns.in_force(tx, code.campaign_id, lock=True)
    assert found is not None
    friend_id = event.customer_id
    scene = Scene(
        found.campaign, found.version, advocate, event.actor, now, code.code, friend_id=friend_id
    )
    return scene, found


async def _qualify(
    tx: Tx,
    scene: Scene,
    found: CampaignInForce,
    live: Row[Any] | None,
    order: Order | None,
    event: Row[Any],
    at: datetime,
    *,
    signed_up: bool,
) -> Reason | datetime:
    code = await one(tx, select(codes).where(codes.c.code == scene.code))
    friend = await signups.friend_facts(
        tx,
        scene,
        already_referred=live is not None and not signed_up,
        order_used=order is not None and await _order_used(tx, scene, order),
        signed_up=signed_up,
    )
    return qualify(
        scene.campaign,
        found.state,
        signups.code_facts(code),
        friend,
        await _places(tx, scene, found, at),
        await conditions.of_conversion(
            tx, scene, order.model_dump() if order else None, about(event)
        ),
        at,
    )


async def _order_used(tx: Tx, scene: Scene, order: Order) -> bool:
    statement = select(func.count()).where(
        referrals.c.campaign_id == scene.campaign.campaign,
        referrals.c.order_id == order.id,
        referrals.c.state.not_in(CLOSED_WITHOUT_CONVERSION),
    )
    return bool((await one(tx, statement))[0])


async def _places(tx: Tx, scene: Scene, found: CampaignInForce, at: datetime) -> Places:
    """Places taken by accepted conversions; the advocate's row is locked, so none is taken meanwhile."""
    taken = (referrals.c.advocate_id == scene.advocate.id) & referrals.c.state.in_(PLACED)
    per_advocate = scene.campaign.limits.per_advocate
    by_advocate = 0
    if per_advocate:
        counted = select(referrals.c.id).where(taken)
        if per_advocate.period:
            counted = counted.where(referrals.c.converted_at > at - per_advocate.period)
        counted = counted.limit(per_advocate.count)
        by_advocate = int((await one(tx, select(func.count()).select_from(counted.subquery())))[0])
    last_at = None
    if scene.campaign.limits.cooldown:
        last_at = (await one(tx, select(func.max(referrals.c.place_at)).where(taken)))[0]
    return Places(by_campaign=found.accepted, by_advocate=by_advocate, last_at=last_at)


async def _reject(
    tx: Tx,
    scene: Scene,
    event: Row[Any],
    reason: Reason,
    live: Row[Any] | None,
    order: Order | None,
) -> dict[str, Any]:
    """A rejected conversion is no conversion: without a live referral it leaves a closed one, with the reason."""
    if live is None:
        closed = {"reason_code": reason.code, "reason": reason.message, "closed_at": scene.now}
        live = await _write(tx, scene, event, order, state=ReferralState.REJECTED, **closed)
    return await signups.reject(tx, scene, event, reason, live)


async def _accept(
    tx: Tx, scene: Scene, event: Row[Any], order: Order | None, place_at: datetime, at: datetime
) -> Row[Any]:
    """Take the place under the limits, and promise the rewards."""
    due = due_at(place_at, scene.campaign.conversion.hold, at)
    state = _state_until(scene, place_at, due, at)
    referral = await _write(
        tx, scene, event, order, state=state, converted_at=at, place_at=place_at, due_at=due
    )
    await tx.execute(codes.update().where(codes.c.code == scene.code).values(uses=codes.c.uses + 1))
    await tx.execute(
        campaigns_table.update()
        .where(campaigns_table.c.id == scene.campaign.campaign)
        .values(accepted=campaigns_table.c.accepted + 1)
    )
    scene = replace(scene, referral_id=referral.id)
    await records.record(tx, scene, "referral_converted")
    if state in (ReferralState.HELD, ReferralState.DEFERRED) and due > scene.now:
        await records.record(tx, scene, "referral_held", data={"until": due.isoformat()})
    await settlement.promise(tx, scene, due)
    return referral


def _state_until(scene: Scene, place_at: datetime, due: datetime, at: datetime) -> ReferralState:
    if scene.campaign.conversion.review:
        return ReferralState.IN_REVIEW
    if place_at > at and place_at == due:
        return ReferralState.DEFERRED
    return ReferralState.HELD


async def _go_on(tx: Tx, scene: Scene, referral: Row[Any]) -> None:
    if referral.state != ReferralState.IN_REVIEW and referral.due_at <= scene.now:
        await settlement.confirm(tx, scene)


def about(event: Row[Any]) -> dict[str, Any]:
    """What rules can ask of the event itself."""
    return dict(event.data.get("more", {})) | {"type": event.type}


async def _write(
    tx: Tx, scene: Scene, event: Row[Any], order: Order | None, **values: Any
) -> Row[Any]:
    values |= {
        "order_id": order.id if order else None,
        "order": order.model_dump(mode="json") if order else None,
        "event_data": about(event),
    }
    if scene.referral_id:
        update = referrals.update().where(referrals.c.id == scene.referral_id).values(values)
        return await one(tx, update.returning(referrals))
    insert = referrals.insert().values(
        id=new_id("ref"),
        campaign_id=scene.campaign.campaign,
        version=scene.version,
        advocate_id=scene.advocate.id,
        friend_id=scene.friend_id,
        code=scene.code,
        created_at=scene.now,
        **values,
    )
    return await one(tx, insert.returning(referrals))
