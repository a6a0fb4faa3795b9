"""Customers: external ids, names and contact details. Contact details are stored only here."""

from datetime import datetime
from functools import cache
from typing import Any

from sqlalchemy import bindparam, func, select

from referrals.domain.events import Customer
from referrals.store.customers import consents, survivors
from referrals.store.db import sql
from referrals.store.db.columns import required
from referrals.store.db.ids import new_id
from referrals.store.db.sql import Tx, first, first_of, insert_for
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
    stored = await first(tx, _upsert(tx.dialect.name, *given), **row)
    customer_id = str(stored[0]) if stored else await _update_survivor(tx, customer.id, given)
    if "consent" in given:
        await consents.apply_consent_list(tx, customer_id, customer.consent or (), now)
    return customer_id


@cache
def _upsert(dialect: str, *given: str) -> Any:
    new = insert_for(dialect, customers)
    # The update, even if it changes nothing, makes RETURNING work for an existing row and locks the row. It must not
    # touch the key, because other transactions may add references to the row meanwhile.
    update = {name: new.excluded[name] for name in given} | {"created_at": customers.c.created_at}
    new = new.on_conflict_do_update(
        index_elements=["external_id"], set_=update, where=customers.c.merged_into.is_(None)
    )
    return new.returning(customers.c.id)


async def _update_survivor(tx: Tx, external_id: str, given: dict[str, Any]) -> str:
    """Update the customer into whom the one with this id was merged, and return the internal id."""
    merged = await sql.get(tx, customers, external_id=external_id)
    survivor = await survivors.lock(tx, merged.id)
    if given:
        await sql.change(tx, customers, survivor.id, **given)
    return survivor.id


async def find(tx: Tx, external_id: str) -> CustomerRow | None:
    """Find the customer for whom the caller's id stands."""
    return await first_of(tx, CustomerRow, _FIND, external_id=external_id)


_named = customers.alias("named")
_FIND = (
    select(customers)
    .join(_named, customers.c.id == func.coalesce(_named.c.merged_into, _named.c.id))
    .where(_named.c.external_id == bindparam("external_id"))
)


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
