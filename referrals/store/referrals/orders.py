"""Orders: their current state, merged from conversions and order events in any order of arrival.

An order is identified by its source and the source's own id. An event about an order that no conversion has named yet
is remembered, and taken up when the order arrives. `order_sources` of the event's data has the order's source, and the
sources that the deployment declares as aliases (see `store.flow.receiving`).
"""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import bindparam, func, select

from referrals.domain.orders import Fact, Moment, OrderState, Refund, from_json, to_json
from referrals.store.db.ids import new_id
from referrals.store.db.sql import Tx, change, first_of, get, insert_once, locked, one, rows_of
from referrals.store.schema import InboxEventRow, OrderRow, orders
from referrals.store.schema.referrals import UNKNOWN_ORDER

MAX_COUNT = 10_000


@dataclass(frozen=True)
class LockedOrder:
    """An order whose row is locked, so that a refund and its conversion cannot miss each other.

    `is_new` is true if no earlier event was about it.
    """

    row: OrderRow
    state: OrderState
    is_new: bool


async def record_conversion(tx: Tx, event: InboxEventRow) -> LockedOrder:
    """Record the order that a conversion names, with everything that earlier events stated about it. A repeat changes nothing."""
    source, *aliases = event.data["order_sources"]
    stated = stated_by(event)
    row, is_new = await _lock(tx, event, source, stated, is_known=True)
    remembered = [] if row.is_known and not is_new else await _take_up(tx, event, aliases)
    state = _merged(from_json(row.state), stated, *remembered)
    if remembered or not is_new:
        await change(tx, orders, row.id, state=to_json(state), is_known=True)
    return LockedOrder(row, state, is_new and not remembered)


async def record_change(tx: Tx, event: InboxEventRow) -> LockedOrder:
    """Record what an order event says. A repeat changes nothing.

    Of the order's possible sources, the first that knows the order counts, else the first.
    """
    stated = stated_by(event)
    own, *aliases = event.data["order_sources"]
    # The alias comes first: its row exists before another transaction can look for what was remembered.
    found = [await _lock(tx, event, source, OrderState()) for source in (*aliases, own)]
    row, is_new = next(((row, new) for row, new in reversed(found) if row.is_known), found[-1])
    unused = [other.id for other, new in found if new and other is not row]
    if unused:
        await tx.execute(orders.delete().where(orders.c.id.in_(unused)))
    state = from_json(row.state).merge(stated)
    await change(tx, orders, row.id, state=to_json(state))
    return LockedOrder(row, state, is_new)


async def lock(tx: Tx, order_id: str) -> LockedOrder:
    """Lock the order with this internal id."""
    row = await get(tx, orders, lock=True, id=order_id)
    return LockedOrder(row, from_json(row.state), is_new=False)


async def count_unknown(tx: Tx) -> int:
    """Count the orders that no conversion has named, so that their events wait. At most `MAX_COUNT` are counted."""
    waiting = select(orders.c.id).where(UNKNOWN_ORDER).limit(MAX_COUNT).subquery()
    return int((await one(tx, select(func.count()).select_from(waiting)))[0])


def stated_by(event: InboxEventRow) -> OrderState:
    """Return what the event says about its order."""
    order = event.data["order"]
    occurred_at = event.occurred_at or event.received_at
    moment = Moment(min(occurred_at, event.received_at), event.id)
    if event.type == "order_refunded":
        refund = event.data.get("refund", {})
        amount = refund.get("amount") or order.get("amount")
        return OrderState(refunds={refund.get("id", event.id): Refund(moment, moment, amount)})
    if event.type in _CHANGES:
        return OrderState({_CHANGES[event.type]: Fact(moment)})
    facts = {"total": Fact(moment, {name: order[name] for name in ("amount", "currency")})}
    parts = {name: order.get(name) for name in ("items", "attributes")}
    facts |= {name: Fact(moment, part) for name, part in parts.items() if part}
    if event.type != "order_updated" and event.occurred_at:
        facts["converted"] = Fact(moment)
    return OrderState(facts)


_CHANGES = {"order_cancelled": "cancelled", "order_reinstated": "reinstated"}


async def _lock(
    tx: Tx, event: InboxEventRow, source: str, state: OrderState, *, is_known: bool = False
) -> tuple[OrderRow, bool]:
    """Lock the order of the source, which is created with this state if it does not exist. Return whether it is new."""
    key = {"source": source, "external_id": event.data["order"]["id"]}
    new = insert_once(tx, orders, ("source", "external_id")).returning(orders)
    values = key | {"id": new_id("ord"), "is_known": is_known, "created_at": event.received_at}
    made = await first_of(tx, OrderRow, new, state=to_json(state), **values)
    return made or await get(tx, orders, lock=True, **key), made is not None


async def _take_up(tx: Tx, event: InboxEventRow, aliases: Sequence[str]) -> list[OrderState]:
    """Return the statements about the order by sources that are declared as aliases of its own."""
    if not aliases:
        return []
    order_id = event.data["order"]["id"]
    found = await rows_of(tx, OrderRow, _REMEMBERED, sources=list(aliases), external_id=order_id)
    await tx.execute(orders.delete().where(orders.c.id.in_([row.id for row in found])))
    return [from_json(row.state) for row in found]


_REMEMBERED = locked(
    select(orders)
    .where(
        orders.c.source.in_(bindparam("sources", expanding=True)),
        orders.c.external_id == bindparam("external_id"),
        ~orders.c.is_known,
    )
    .order_by(orders.c.id)
)


def _merged(state: OrderState, *others: OrderState) -> OrderState:
    for other in others:
        state = state.merge(other)
    return state
