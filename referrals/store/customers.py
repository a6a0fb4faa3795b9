"""Customers: who they are to the caller, and how to reach them. Contact details live here and nowhere else."""

from datetime import datetime
from typing import Any

from sqlalchemy import Row, select

from referrals.domain.events import Customer
from referrals.store import consents
from referrals.store.ids import new_id
from referrals.store.schema import customers
from referrals.store.sql import Tx, first, insert, one


async def upsert(tx: Tx, customer: Customer, now: datetime) -> str:
    """The customer's own id here; what the caller tells of them replaces what was known.

    A list of consents is history too (see `consents.told`).
    """
    told = customer.model_dump(exclude_unset=True, exclude={"id"})
    statement = insert(tx, customers).values(
        id=new_id("cus"), external_id=customer.id, created_at=now, **told
    )
    # Updating the key with itself makes RETURNING answer for a row that was there, and locks it.
    update = {name: statement.excluded[name] for name in (*told, "external_id")}
    statement = statement.on_conflict_do_update(index_elements=["external_id"], set_=update)
    customer_id = str((await one(tx, statement.returning(customers.c.id))).id)
    if "consent" in told:
        await consents.told(tx, customer_id, customer.consent or (), now)
    return customer_id


async def find(tx: Tx, external_id: str) -> Row[Any] | None:
    return await first(tx, select(customers).where(customers.c.external_id == external_id))


async def get(tx: Tx, customer_id: str) -> Row[Any]:
    return await one(tx, select(customers).where(customers.c.id == customer_id))


async def became_customer(tx: Tx, customer_id: str, at: datetime) -> None:
    """After `at` this person is an existing customer to every campaign that asks."""
    later = customers.c.customer_since.is_(None) | (customers.c.customer_since > at)
    await tx.execute(
        customers.update().where(customers.c.id == customer_id, later).values(customer_since=at)
    )
