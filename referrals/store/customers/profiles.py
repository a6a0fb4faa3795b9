"""Customers: who they are to the caller, and how to reach them. Contact details live here and nowhere else."""

from datetime import datetime
from functools import cache
from typing import Any

from sqlalchemy import Row, bindparam

from referrals.domain.events import Customer
from referrals.store.customers import consents
from referrals.store.db import sql
from referrals.store.db.ids import new_id
from referrals.store.db.sql import Tx, insert_of, one
from referrals.store.schema import customers


async def upsert(tx: Tx, customer: Customer, now: datetime) -> str:
    """The customer's own id here; what the caller tells of them replaces what was known.

    A list of consents is history too (see `consents.told`).
    """
    told = customer.model_dump(exclude_unset=True, exclude={"id"})
    row = {"id": new_id("cus"), "external_id": customer.id, "created_at": now, **told}
    customer_id = str((await one(tx, _upsert(tx.dialect.name, *told), **row)).id)
    if "consent" in told:
        await consents.apply_consent_list(tx, customer_id, customer.consent or (), now)
    return customer_id


@cache
def _upsert(dialect: str, *told: str) -> Any:
    new = insert_of(dialect, customers)
    # An update, if of nothing, makes RETURNING answer for a row that was there, and locks it. Not of the key: others
    # may refer to the row meanwhile.
    update = {name: new.excluded[name] for name in told} | {"created_at": customers.c.created_at}
    new = new.on_conflict_do_update(index_elements=["external_id"], set_=update)
    return new.returning(customers.c.id)


async def find(tx: Tx, external_id: str) -> Row[Any] | None:
    return await sql.find(tx, customers, external_id=external_id)


async def get(tx: Tx, customer_id: str) -> Row[Any]:
    return await sql.get(tx, customers, id=customer_id)


async def mark_as_customer(tx: Tx, customer_id: str, at: datetime) -> None:
    """After `at` this person is an existing customer to every campaign that asks."""
    await tx.execute(_BECAME, {"row_id": customer_id, "at": at})


_BECAME = (
    customers.update()
    .where(
        customers.c.id == bindparam("row_id"),
        customers.c.customer_since.is_(None) | (customers.c.customer_since > bindparam("at")),
    )
    .values(customer_since=bindparam("at"))
)
