"""The customer to whom an id belongs: after a merge, the surviving one."""

from sqlalchemy import ColumnElement, func, or_, select

from referrals.domain.identity import normalise_id
from referrals.store.db.ids import is_id
from referrals.store.db.sql import Tx, get, rows, scalars
from referrals.store.schema import CustomerRow, advocates, customer_merges, customers
from referrals.store.views import MergedId


async def lock(tx: Tx, customer_id: str) -> CustomerRow:
    """Lock the customer for whom the id stands, so that no merge changes that meanwhile."""
    row = await get(tx, customers, lock=True, id=customer_id)
    return row if row.merged_into is None else await lock(tx, row.merged_into)


async def get_survivor(tx: Tx, customer_id: str) -> CustomerRow:
    """Return the customer for whom the id stands, without a lock."""
    row = await get(tx, customers, id=customer_id)
    return row if row.merged_into is None else await get(tx, customers, id=row.merged_into)


async def ids_of(tx: Tx, customer: CustomerRow, named: str) -> list[str]:
    """Return all ids of the customer, first the one that the caller named.

    Idempotency keys belong to the id under which they were used.
    """
    own = or_(customers.c.id == customer.id, customers.c.merged_into == customer.id)
    statement = select(customers.c.id).where(own)
    return await scalars(
        tx,
        statement.order_by(
            (customers.c.normalised_id == normalise_id(named)).desc(), customers.c.id
        ),
    )


async def list_merged(tx: Tx, customer_id: str) -> list[MergedId]:
    """List the ids that were merged into the customer, with their merges."""
    statement = (
        select(
            customers.c.external_id,
            customer_merges.c.at,
            customer_merges.c.actor,
            customer_merges.c.reason,
        )
        .join(customer_merges, customer_merges.c.customer_id == customers.c.id)
        .where(customers.c.merged_into == customer_id)
        .order_by(customer_merges.c.at, customers.c.external_id)
    )
    return [MergedId(*row) for row in await rows(tx, statement)]


def id_of(named: str) -> ColumnElement[str]:
    """Select the id of the customer for whom the caller's id stands, or our id of a customer or advocate."""
    survivor = select(func.coalesce(customers.c.merged_into, customers.c.id)).correlate(None)
    by_callers_id = survivor.where(customers.c.normalised_id == normalise_id(named))
    if not is_our_id(named):
        return by_callers_id.scalar_subquery()
    by_our_id = survivor.where(has_our_id(named))
    return func.coalesce(by_callers_id.scalar_subquery(), by_our_id.scalar_subquery())


def is_our_id(named: str) -> bool:
    """Return whether the text looks like our id of a customer or of an advocate."""
    return is_id(named, "cus", "adv")


def has_our_id(named: str) -> ColumnElement[bool]:
    """Select the customer with our id, or the customer who is the advocate with our id."""
    customer = select(advocates.c.customer_id).where(advocates.c.id == named).correlate(None)
    return or_(customers.c.id == named, customers.c.id == customer.scalar_subquery())
