"""Rebuild digests under the current secret, and count those that are not."""

from collections.abc import Mapping

from sqlalchemy import func, select

from referrals.store.customers import profiles
from referrals.store.db.sql import Tx, locked, one, rows, rows_of
from referrals.store.schema import CustomerRow, contacts, customers

CHUNK_SIZE = 500


async def rebuild_chunk(tx: Tx, after: str) -> tuple[str | None, int]:
    """Bring the digests of the next customers up to date. Return the last customer, and how many had others.

    A friend who is known by a contact that is not verified has no digests, and gets none.
    """
    unverified = customers.c.contact_key.is_not(None) & customers.c.identified_by.is_(None)
    statement = select(customers).where(customers.c.id > after, ~unverified)
    chunk = await rows_of(
        tx, CustomerRow, locked(statement.order_by(customers.c.id).limit(CHUNK_SIZE))
    )
    changed = [await profiles.update_contacts(tx, customer) for customer in chunk]
    return (chunk[-1].id if chunk else None), sum(changed)


async def count_by_key(tx: Tx) -> Mapping[str, int]:
    """Return the number of customers with digests by key id."""
    counted = func.count(contacts.c.customer_id.distinct())
    statement = select(contacts.c.key_id, counted).group_by(contacts.c.key_id)
    return {key_id: count for key_id, count in await rows(tx, statement)}  # noqa: C416 - rows, not tuples


async def count_outdated(tx: Tx, current_key_id: str) -> int:
    """Return the number of customers who have digests, but none under the current key."""
    current = select(contacts.c.customer_id).where(contacts.c.key_id == current_key_id)
    statement = select(func.count(contacts.c.customer_id.distinct())).where(
        contacts.c.customer_id.not_in(current)
    )
    return int((await one(tx, statement))[0])
