"""Orders and their refunds. A refund may arrive before the conversion of its order."""

from decimal import ROUND_HALF_UP, Decimal

from referrals.domain.events import Order
from referrals.domain.money import decimals_of
from referrals.store.db.sql import Tx, first_of, get, insert_once
from referrals.store.schema import OrderRow, orders


async def lock(tx: Tx, order_id: str) -> tuple[OrderRow, bool]:
    """Lock the order, so that a refund and its conversion cannot miss each other. Return it and whether it is new."""
    new = insert_once(tx, orders, ("id",)).returning(orders)
    made = await first_of(tx, OrderRow, new, id=order_id, refunds=[], cancelled=False)
    return made or await get(tx, orders, lock=True, id=order_id), made is not None


async def record_refund(tx: Tx, order: OrderRow, amount: str | None) -> None:
    """Record a refund of `amount`, a decimal string; None means the whole order."""
    await tx.execute(
        orders.update().where(orders.c.id == order.id).values(refunds=[*order.refunds, amount])
    )


async def record_cancellation(tx: Tx, order: OrderRow) -> None:
    await tx.execute(orders.update().where(orders.c.id == order.id).values(cancelled=True))


def refunded(order: OrderRow, paid: Order) -> int:
    """Return the refunded amount in minor units, at most the amount paid."""
    amounts = [amount for amount in order.refunds if amount is not None]
    if len(amounts) < len(order.refunds):
        return paid.minor
    total = sum(map(Decimal, amounts), Decimal(0))
    minor = total.scaleb(decimals_of(paid.currency)).to_integral_value(ROUND_HALF_UP)
    return min(int(minor), paid.minor)
