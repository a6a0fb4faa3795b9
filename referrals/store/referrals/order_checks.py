"""Check whether a conversion still qualifies by the current state of its order."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import bindparam, select

from referrals.domain.qualification import failed_rule
from referrals.domain.reasons import Reason, RejectReason, RollBackReason
from referrals.store.activity.context import ReferralContext
from referrals.store.db.sql import Tx, first_of
from referrals.store.referrals import conditions
from referrals.store.referrals.orders import LockedOrder
from referrals.store.referrals.releases import release_friend
from referrals.store.schema import ReferralRow, referrals
from referrals.store.schema.referrals import CONVERTED


@dataclass(frozen=True)
class ConversionFacts:
    """The part of a conversion's event that rules read, and the time at which an operator reinstated it, if any."""

    event: dict[str, Any]
    left_out: Sequence[str]
    reinstated_at: datetime | None = None


async def find_disqualification(
    tx: Tx, context: ReferralContext, order: LockedOrder, conversion: ConversionFacts
) -> Reason | None:
    """Return the reason why the conversion does not count as its order is now, if any.

    Cancellations and refunds from before an operator's reinstatement do not count.
    """
    state, order_id, since = order.state, order.row.external_id, conversion.reinstated_at
    if state.is_cancelled(since):
        return Reason(RollBackReason.ORDER_CANCELLED, f"Order {order_id} was cancelled.")
    if state.is_refunded(since):
        return Reason(RollBackReason.ORDER_REFUNDED, f"Order {order_id} was refunded.")
    rules = context.campaign.conversion.rules
    if not rules:
        return None
    values = await conditions.load_conversion_values(
        tx, context, state.details(order_id), conversion.event, refunded=state.refunded(since)
    )
    failed = failed_rule(rules, values, conversion.left_out)
    if failed is None or failed.code == RejectReason.RULE_BROKEN:
        return None  # nothing shows that the order does not qualify
    return Reason(
        RollBackReason.NO_LONGER_QUALIFIES,
        f"Order {order_id}, as it is now, does not qualify. {failed.message}",
        failed.rule,
    )


async def is_order_used(tx: Tx, context: ReferralContext, order: LockedOrder | None) -> bool:
    """Check whether the order counts for a referral of the campaign."""
    if order is None or order.is_new:
        return False
    return bool(await find_referral_of_order(tx, context, order.row.id))


async def find_referral_of_order(
    tx: Tx, context: ReferralContext, order_id: str | None
) -> str | None:
    """Find the id of the campaign's referral for which the order with this internal id counts.

    One that was rolled back is released, if everything has been recovered: the order does not count for it any more.
    """
    own = {"campaign_id": context.campaign.campaign, "order_id": order_id}
    found = await first_of(tx, ReferralRow, _REFERRAL_OF_ORDER, **own)
    if found is None or await release_friend(tx, found, context.now):
        return None
    return found.id


_REFERRAL_OF_ORDER = select(referrals).where(
    referrals.c.campaign_id == bindparam("campaign_id"),
    referrals.c.order_id == bindparam("order_id"),
    CONVERTED,
)
