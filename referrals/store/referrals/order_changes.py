"""Refunds and cancellations of orders, and the conversions that no longer qualify after them."""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import select

from referrals.domain.events import Order
from referrals.domain.qualification import failed_rule
from referrals.domain.reasons import Reason, RejectReason, RollBackReason
from referrals.domain.states import COUNTS_TOWARD_LIMITS
from referrals.domain.stored import read_stored
from referrals.store import lookups
from referrals.store.activity.context import ReferralContext
from referrals.store.db.sql import Tx, rows_of
from referrals.store.inbox import inbox_events
from referrals.store.referrals import conditions, orders
from referrals.store.referrals.roll_backs import roll_back_referral
from referrals.store.schema import OrderRow, ReferralRow, advocates, referrals


class AffectedReferral(NamedTuple):
    """A referral whose order was refunded or cancelled; `advocate` is the customer id of its advocate."""

    id: str
    campaign_id: str
    workflow_id: str
    advocate: str


async def record(tx: Tx, event_id: str) -> Sequence[AffectedReferral]:
    """Record a refund or cancellation with its order, once. Returns the referrals to reassess."""
    event = await inbox_events.lock(tx, event_id)
    order, _ = await orders.lock(tx, event.data["order"]["id"])
    if not event.data.get("recorded"):
        if event.type == "order_cancelled":
            await orders.record_cancellation(tx, order)
        else:
            await orders.record_refund(tx, order, event.data["order"].get("amount"))
        await inbox_events.set_data(tx, event_id, event.data | {"recorded": True})
    return await referrals_of_order(tx, order.id, event.campaign_id)


async def referrals_of_order(
    tx: Tx, order_id: str, campaign_id: str | None
) -> Sequence[AffectedReferral]:
    """Return the accepted conversions of an order."""
    statement = (
        select(
            referrals.c.id,
            referrals.c.campaign_id,
            referrals.c.workflow_id,
            advocates.c.customer_id.label("advocate"),
        )
        .join(advocates, advocates.c.id == referrals.c.advocate_id)
        .where(referrals.c.order_id == order_id, referrals.c.state.in_(COUNTS_TOWARD_LIMITS))
    )
    if campaign_id:
        statement = statement.where(referrals.c.campaign_id == campaign_id)
    return await rows_of(tx, AffectedReferral, statement.order_by(referrals.c.id))


async def apply_to_referral(tx: Tx, event_id: str, referral_id: str, now: datetime) -> None:
    """Reassess one referral after a refund or cancellation of its order."""
    event = await inbox_events.lock(tx, event_id)
    order, _ = await orders.lock(tx, event.data["order"]["id"])
    context, _ = await lookups.lock_context(tx, referral_id, event.actor, now)
    await reassess(tx, context, order)


async def reassess(tx: Tx, context: ReferralContext, order: OrderRow) -> Reason | None:
    """Roll the referral back unless the rest of its order still qualifies. Returns the reason of the roll-back."""
    if not order.cancelled and not order.refunds:
        return None
    referral = await lookups.get_referral(tx, str(context.referral_id))
    if referral.state not in COUNTS_TOWARD_LIMITS:
        return None
    reason = await _disqualification(tx, context, referral, order)
    if reason:
        await roll_back_referral(tx, context, referral, reason)
    return reason


async def _disqualification(
    tx: Tx, context: ReferralContext, referral: ReferralRow, order: OrderRow
) -> Reason | None:
    paid = read_stored(Order, referral.order_snapshot)
    if order.cancelled:
        return Reason(RollBackReason.ORDER_CANCELLED, f"Order {paid.id} was cancelled.")
    refunded = orders.refunded(order, paid)
    if refunded >= paid.minor:
        return Reason(RollBackReason.ORDER_REFUNDED, f"Order {paid.id} was refunded.")
    values = await conditions.load_conversion_values(
        tx, context, referral.order_snapshot, referral.event_data or {}, refunded=refunded
    )
    failed = failed_rule(context.campaign.conversion.rules, values, referral.left_out or ())
    if failed is None or failed.code == RejectReason.RULE_BROKEN:
        return None  # nothing shows that the rest does not qualify
    return Reason(
        RollBackReason.NO_LONGER_QUALIFIES,
        f"The rest of order {paid.id} no longer qualifies. {failed.message}",
    )
