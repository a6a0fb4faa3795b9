"""Changes of orders, and the conversions that no longer qualify, or qualify again, after them."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import select

from referrals.domain.money import format_amount
from referrals.domain.reasons import REASONS_OF_ORDERS, Reason
from referrals.domain.states import COUNTS_TOWARD_LIMITS, ReferralState
from referrals.store import lookups
from referrals.store.activity.context import ReferralContext
from referrals.store.customers import contacts, survivors
from referrals.store.db.sql import Tx, change, rows_of
from referrals.store.inbox import inbox_events
from referrals.store.inbox.outcome import Outcome
from referrals.store.referrals import orders
from referrals.store.referrals.order_checks import ConversionFacts, find_disqualification
from referrals.store.referrals.orders import LockedOrder
from referrals.store.referrals.reinstatements import Effect, reinstate
from referrals.store.referrals.roll_backs import roll_back_referral
from referrals.store.schema import InboxEventRow, ReferralRow, advocates, referrals


class AffectedReferral(NamedTuple):
    """A referral whose order changed; `advocate` is the customer id of its advocate."""

    id: str
    campaign_id: str
    workflow_id: str
    advocate: str


async def record(tx: Tx, event_id: str) -> Sequence[AffectedReferral]:
    """Record an order event with its order. A repeat changes nothing. Returns the referrals to reassess."""
    event = await inbox_events.lock(tx, event_id)
    order = await orders.record_change(tx, event)
    recorded = {"order_row": order.row.id if order.row.is_known else None}
    await inbox_events.set_data(tx, event_id, event.data | recorded | _excess(event, order))
    return await _referrals_of(tx, order.row.id)


def _excess(event: InboxEventRow, order: LockedOrder) -> dict[str, Any]:
    """Return the warning that the refunds are more than the order's amount."""
    state = order.state
    if event.type != "order_refunded" or not order.row.is_known or state.refunded() <= state.minor:
        return {}
    total = format_amount(state.minor, state.currency)
    message = f"the refunds of the order exceed its amount of {total} {state.currency}"
    parent = "refund" if event.data.get("refund", {}).get("amount") else "order"
    return {"excess": {"field": f"data.{parent}.amount", "message": message}}


async def _referrals_of(tx: Tx, order_id: str) -> Sequence[AffectedReferral]:
    """Return the conversions of an order that were accepted, also if rolled back, or rejected because of the order."""
    statement = (
        select(
            referrals.c.id,
            referrals.c.campaign_id,
            referrals.c.workflow_id,
            advocates.c.customer_id.label("advocate"),
        )
        .join(advocates, advocates.c.id == referrals.c.advocate_id)
        .where(
            referrals.c.order_id == order_id,
            referrals.c.state.in_(COUNTS_TOWARD_LIMITS | {ReferralState.ROLLED_BACK})
            | referrals.c.reason_code.in_(REASONS_OF_ORDERS),
        )
        .order_by(referrals.c.id)
    )
    return await rows_of(tx, AffectedReferral, statement)


async def apply_to_referral(tx: Tx, event_id: str, referral_id: str, now: datetime) -> None:
    """Reassess one referral after a change of its order, once for each event."""
    event = await inbox_events.lock(tx, event_id)
    effects = event.data.get("effects", {})
    if referral_id in effects:
        return
    friend = await survivors.lock(tx, (await lookups.get_referral(tx, referral_id)).friend_id)
    order = await orders.lock(tx, str(event.data["order_row"]))
    await contacts.lock(tx, friend.id)
    context, referral = await lookups.lock_context(tx, referral_id, event.actor, now)
    effect = await _reassess(tx, context, referral, order)
    await inbox_events.set_data(
        tx, event_id, event.data | {"effects": effects | {referral_id: effect}}
    )


async def _reassess(
    tx: Tx, context: ReferralContext, referral: ReferralRow, order: LockedOrder
) -> Effect:
    facts = ConversionFacts(
        referral.event_data or {}, referral.left_out or (), referral.reinstated_at
    )
    reason = await find_disqualification(tx, context, order, facts)
    await _update_snapshot(tx, referral, order)
    if referral.state in COUNTS_TOWARD_LIMITS:
        if reason is None:
            return Effect.UNCHANGED
        await roll_back_referral(tx, context, referral, reason)
        return Effect.ROLLED_BACK
    if reason is None and referral.reason_code in REASONS_OF_ORDERS:
        return await reinstate(tx, context, referral)
    return Effect.UNCHANGED


async def _update_snapshot(tx: Tx, referral: ReferralRow, order: LockedOrder) -> None:
    snapshot = order.state.details(order.row.external_id)
    if snapshot != referral.order_snapshot:
        await change(tx, referrals, referral.id, order_snapshot=snapshot)


async def outcome(tx: Tx, event_id: str) -> Outcome:
    """Return the outcome of an order event whose referrals have been reassessed: its effect on each of them."""
    event = await inbox_events.lock(tx, event_id)
    if event.data["order_row"] is None:
        message = "No conversion has named this order yet. The event takes effect when one does."
        effects: list[dict[str, Any]] = [
            {"campaign": None, "referral": None, "effect": "unknown_order"}
        ]
        reason = Reason("unknown_order", message)
        return Outcome(event, None, reason=reason, details={"effects": effects})
    affected = await _referrals_of(tx, event.data["order_row"])
    by_referral = event.data.get("effects", {})
    effects = [
        {"campaign": row.campaign_id, "referral": row.id, "effect": by_referral[row.id]}
        for row in affected
        if row.id in by_referral
    ]
    warnings = [event.data["excess"]] if "excess" in event.data else []
    details = {"effects": effects, "warnings": [*event.warnings, *warnings]}
    first_id = affected[0].id if affected else None
    return Outcome(event, None, first_id, has_rewards=False, details=details)
