"""Locks of a merge, in the order of all decisions: events, customers, contacts, advocates, then what journeys and messages use.

While they are held, no decision is made about either customer, nothing is sent to them, and no other merge touches them.
"""

from typing import Any

from sqlalchemy import Select, or_, select, union

from referrals.store.customers import contacts
from referrals.store.db.sql import Tx, get, literal_in, locked, rows
from referrals.store.schema import (
    CustomerRow,
    advocates,
    customers,
    inbox_events,
    journey_runs,
    messages,
    referrals,
)
from referrals.store.schema.journeys import OPEN_RUN_STATES


async def lock_both(tx: Tx, one_id: str, other_id: str) -> tuple[CustomerRow, CustomerRow]:
    """Lock the two customers to whom the ids belong, and everything that a decision about them would lock."""
    ids = sorted({one_id, other_id})
    await rows(tx, locked(_open_events(ids)))
    found = {each: await get(tx, customers, lock=True, id=each) for each in ids}
    one, other = found[one_id], found[other_id]
    if one.merged_into or other.merged_into:
        return await lock_both(tx, one.merged_into or one_id, other.merged_into or other_id)
    await rows(tx, locked(_open_events(ids)))  # those received before the customers were locked
    for customer_id in ids:
        await contacts.lock(tx, customer_id)
    for statement in _rows_to_lock(ids):
        await rows(tx, locked(statement))
    return one, other


def _open_events(ids: list[str]) -> Select[Any]:
    events = inbox_events.c
    of_both = events.customer_id.in_(ids), literal_in(events.state, "received", "queued")
    return select(events.id).where(*of_both).order_by(events.id)


def _rows_to_lock(ids: list[str]) -> list[Select[Any]]:
    referring = select(referrals.c.advocate_id).where(referrals.c.friend_id.in_(ids))
    own = advocates.c.customer_id.in_(ids)
    runs = journey_runs.c
    return [
        select(advocates.c.id)
        .where(or_(own, advocates.c.id.in_(referring)))
        .order_by(advocates.c.id),
        select(runs.id)
        .where(
            literal_in(runs.state, *OPEN_RUN_STATES),
            runs.advocate_id.in_(union(referring, select(advocates.c.id).where(own))),
        )
        .order_by(runs.id),
        select(messages.c.id)
        .where(messages.c.customer_id.in_(ids), literal_in(messages.c.state, "pending"))
        .order_by(messages.c.id),
    ]
