"""Taking back what was accepted: refunds, cancellations, an operator's roll-back, and review."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Row, select

from referrals.domain.events import Order
from referrals.domain.qualification import rule_rejection
from referrals.domain.reasons import Reason, RejectReason, RollBackReason
from referrals.domain.states import COUNTS_TOWARD_LIMITS, Decision, ReferralState
from referrals.errors import NotPossibleError
from referrals.store import lookups
from referrals.store.activity import log
from referrals.store.activity.log import Scene
from referrals.store.db.sql import Tx, rows
from referrals.store.flow import responses
from referrals.store.inbox import inbox_events
from referrals.store.referrals import conditions, orders
from referrals.store.referrals.confirmation import (
    confirm,
    confirm_if_due,
    give_place_back,
    roll_back,
    set_state,
    take_back_rewards,
)
from referrals.store.referrals.signups import expire
from referrals.store.schema import advocates, referrals


async def referrals_of_order(tx: Tx, order_id: str, campaign_id: str | None) -> Sequence[Row[Any]]:
    """Accepted conversions on this order: `id`, `campaign_id`, `friend_id`, and the `advocate`'s customer id."""
    statement = (
        select(
            referrals.c.id,
            referrals.c.campaign_id,
            referrals.c.friend_id,
            advocates.c.customer_id.label("advocate"),
        )
        .join(advocates, advocates.c.id == referrals.c.advocate_id)
        .where(referrals.c.order_id == order_id, referrals.c.state.in_(COUNTS_TOWARD_LIMITS))
    )
    if campaign_id:
        statement = statement.where(referrals.c.campaign_id == campaign_id)
    return await rows(tx, statement.order_by(referrals.c.id))


async def note(tx: Tx, event_id: str) -> Sequence[Row[Any]]:
    """Note a refund or cancellation with its order, once. Returns the referrals to reassess."""
    event = await inbox_events.claim(tx, event_id)
    order, _ = await orders.lock(tx, event.data["order"]["id"])
    if not event.data.get("noted"):
        if event.type == "order_cancelled":
            await orders.cancel(tx, order)
        else:
            await orders.refund(tx, order, event.data["order"].get("amount"))
        await inbox_events.set_data(tx, event_id, event.data | {"noted": True})
    return await referrals_of_order(tx, order.id, event.campaign_id)


async def order_reversed(tx: Tx, event_id: str, referral_id: str, now: datetime) -> None:
    """Re-evaluate one referral after its order's refund or cancellation."""
    event = await inbox_events.claim(tx, event_id)
    order, _ = await orders.lock(tx, event.data["order"]["id"])
    scene, _ = await lookups.locked_scene(tx, referral_id, event.actor, now)
    await reassess(tx, scene, order)


async def reassess(tx: Tx, scene: Scene, order: Row[Any]) -> Reason | None:
    """Roll the referral back unless what is left of its order still qualifies. Returns why it was rolled back."""
    if not order.cancelled and not order.refunds:
        return None
    referral = await lookups.get_referral(tx, str(scene.referral_id))
    if referral.state not in COUNTS_TOWARD_LIMITS:
        return None
    reason = await _disqualified(tx, scene, referral, order)
    if reason:
        await roll_back(tx, scene, referral, reason)
    return reason


async def _disqualified(tx: Tx, scene: Scene, referral: Row[Any], order: Row[Any]) -> Reason | None:
    paid = Order.model_validate(referral.order_snapshot)
    if order.cancelled:
        return Reason(RollBackReason.ORDER_CANCELLED, f"Order {paid.id} was cancelled.")
    back = orders.refunded(order, paid)
    if back >= paid.minor:
        return Reason(RollBackReason.ORDER_REFUNDED, f"Order {paid.id} was refunded.")
    context = await conditions.of_conversion(
        tx, scene, referral.order_snapshot, referral.event_data or {}, refunded=back
    )
    failed = rule_rejection(scene.campaign.conversion.rules, context)
    if failed is None:
        return None
    return Reason(
        RollBackReason.NO_LONGER_QUALIFIES,
        f"What is left of order {paid.id} no longer qualifies. {failed.message}",
    )


async def take_back(tx: Tx, event_id: str, now: datetime) -> None:
    """An operator's roll-back; doing it again changes nothing. Raises NotPossibleError."""
    event = await inbox_events.claim(tx, event_id)
    scene, referral = await lookups.locked_scene(tx, event.data["referral"], event.actor, now)
    if event.response or referral.state == ReferralState.ROLLED_BACK:
        await _done(tx, event, referral)
        return
    if referral.state not in COUNTS_TOWARD_LIMITS:
        raise NotPossibleError(f"A referral that is {referral.state} has nothing to roll back.")
    reason = Reason(RollBackReason.ROLLED_BACK_BY_OPERATOR, event.data["reason"])
    await roll_back(tx, scene, referral, reason)
    await _done(tx, event, referral)


async def review(tx: Tx, event_id: str, now: datetime) -> None:
    """An operator's approval or rejection of a conversion in review. Raises NotPossibleError."""
    event = await inbox_events.claim(tx, event_id)
    scene, referral = await lookups.locked_scene(tx, event.data["referral"], event.actor, now)
    if event.response:
        return
    approved = event.type == "approve"
    if referral.state != ReferralState.IN_REVIEW:
        raise NotPossibleError(f"The referral is {referral.state}, not in review.")
    if approved:
        await _approve(tx, scene, referral)
    else:
        await _reject(tx, scene, referral, event.data["reason"])
    await _done(tx, event, referral)


async def _approve(tx: Tx, scene: Scene, referral: Row[Any]) -> None:
    await set_state(tx, referral.id, ReferralState.HELD)
    await log.record(
        tx, scene, "referral_held", data={"until": referral.due_at.isoformat(), "approved": True}
    )
    if referral.due_at <= scene.now:
        await confirm(tx, scene)


async def _reject(tx: Tx, scene: Scene, referral: Row[Any], sentence: str) -> None:
    reason = Reason(RejectReason.REJECTED_BY_REVIEW, sentence)
    await set_state(
        tx,
        referral.id,
        ReferralState.REJECTED,
        closed_at=scene.now,
        reason_code=reason.code,
        reason=reason.message,
    )
    await give_place_back(tx, referral)
    await log.record(tx, scene, "referral_rejected", reason=reason)
    await take_back_rewards(tx, scene, reason)


async def _done(tx: Tx, event: Row[Any], referral: Row[Any]) -> None:
    if not event.response:
        await responses.give(tx, event, Decision.ACCEPTED, referral_id=referral.id)


async def pass_time(tx: Tx, campaign_id: str, friend_id: str, actor: str, now: datetime) -> None:
    """What time alone brings: the window closes; the hold is over, or the cooldown's place has come."""
    found = await lookups.live_referral(tx, campaign_id, friend_id)
    if found is None:
        return
    scene, referral = await lookups.locked_scene(tx, found.id, actor, now)
    if referral.state == ReferralState.SIGNED_UP and referral.window_ends_at <= now:
        await expire(tx, scene)
    else:
        await confirm_if_due(tx, scene, referral)
