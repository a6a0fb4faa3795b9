"""Customers: external ids, names and contact details. Contact details are stored only here."""

from datetime import datetime
from functools import cache
from typing import Any

from sqlalchemy import bindparam

from referrals.domain.events import Customer
from referrals.store.customers import consents
from referrals.store.db import sql
from referrals.store.db.columns import required
from referrals.store.db.ids import new_id
from referrals.store.db.sql import Tx, insert_for, one
from referrals.store.schema import CustomerRow, customers


async def upsert(tx: Tx, customer: Customer, now: datetime) -> str:
    """Insert or update a customer and return the internal id. Only fields that are set replace stored values.

    A list of consents is also added to the history (see `consents.apply_consent_list`).
    """
    given = customer.model_dump(exclude_unset=True, exclude={"id"})
    row = {
        "id": new_id("cus"),
        "external_id": customer.id,
        "reward_subject": required(tx.secrets).reward_subject(customer.id),
        "created_at": now,
        **given,
    }
    customer_id = str((await one(tx, _upsert(tx.dialect.name, *given), **row))[0])
    if "consent" in given:
        await consents.apply_consent_list(tx, customer_id, customer.consent or (), now)
    return customer_id


@cache
def _upsert(dialect: str, *given: str) -> Any:
    new = insert_for(dialect, customers)
    # The update, even if it changes nothing, makes RETURNING work for an existing row and locks the row. It must not
    # touch the key, because other transactions may add references to the row meanwhile.
    update = {name: new.excluded[name] for name in given} | {"created_at": customers.c.created_at}
    new = new.on_conflict_do_update(index_elements=["external_id"], set_=update)
    return new.returning(customers.c.id)


async def find(tx: Tx, external_id: str) -> CustomerRow | None:
    return await sql.find(tx, customers, external_id=external_id)


async def get(tx: Tx, customer_id: str) -> CustomerRow:
    return await sql.get(tx, customers, id=customer_id)


async def mark_as_customer(tx: Tx, customer_id: str, at: datetime) -> None:
    """Mark the person as an existing customer since `at`, or earlier if already marked."""
    await tx.execute(_MARK_AS_CUSTOMER, {"row_id": customer_id, "at": at})


_MARK_AS_CUSTOMER = (
    customers.update()
    .where(
        customers.c.id == bindparam("row_id"),
        customers.c.customer_since.is_(None) | (customers.c.customer_since > bindparam("at")),
    )
    .values(customer_since=bindparam("at"))
)
