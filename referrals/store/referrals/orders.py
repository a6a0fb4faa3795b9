"""Orders and what was refunded of them. A refund may arrive before the conversion of its order."""

from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from sqlalchemy import Row

from referrals.domain.events import Order
from referrals.domain.money import decimals_of
from referrals.store.db.sql import Tx, adding, first, get
from referrals.store.schema import orders


async def lock(tx: Tx, order_id: str) -> tuple[Row[Any], bool]:
    """The order, locked, so that a refund and its conversion cannot miss each other; and whether the order is new."""
    new = adding(tx, orders, ("id",)).returning(orders)
    made = await first(tx, new, id=order_id, refunds=[], cancelled=False)
    return made or await get(tx, orders, lock=True, id=order_id), made is not None


async def record_refund(tx: Tx, order: Row[Any], amount: str | None) -> None:
    """Record a refund of `amount`, a decimal string; None means the whole order."""
    await tx.execute(
        orders.update().where(orders.c.id == order.id).values(refunds=[*order.refunds, amount])
    )


async def record_cancellation(tx: Tx, order: Row[Any]) -> None:
    await tx.execute(orders.update().where(orders.c.id == order.id).values(cancelled=True))


def refunded(order: Row[Any], paid: Order) -> int:
    """The refunded amount in minor units, at most what was paid."""
    if None in order.refunds:
        return paid.minor
    total = sum(map(Decimal, order.refunds), Decimal(0))
    minor = total.scaleb(decimals_of(paid.currency)).to_integral_value(ROUND_HALF_UP)
    return min(int(minor), paid.minor)
