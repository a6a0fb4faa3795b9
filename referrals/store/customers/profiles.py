"""Customers: external ids, names and contact details. Contact details are stored only here."""

from collections.abc import Sequence
from datetime import datetime
from functools import cache
from typing import Any

from sqlalchemy import bindparam, select

from referrals.domain.events import Customer, Friend
from referrals.domain.identity import Digest, contacts_of, normalise_id
from referrals.store.customers import consents, contacts, survivors
from referrals.store.db import sql
from referrals.store.db.columns import required
from referrals.store.db.ids import new_id
from referrals.store.db.sql import Tx, change, first_of, insert_for, locked
from referrals.store.schema import CustomerRow, customers


async def upsert(tx: Tx, customer: Customer | Friend, now: datetime) -> str:
    """Insert or update a customer with an id and return the internal id. Only fields that are set replace stored values.

    A new id takes over the friend who was known by the same verified contact alone. A list of consents is also added to the
    history (see `consents.apply_consent_list`).
    """
    given = customer.model_dump(exclude_unset=True, exclude={"id", "verified"})
    own_id, identity = await _callers_id(tx, required(customer.id)), required(tx.identity)
    normalised_id = normalise_id(own_id)
    digests = identity.digests(own_id, customer.email, customer.phone)
    new = {
        "id": new_id("cus"),
        "external_id": own_id,
        "normalised_id": normalised_id,
        "reward_subject": identity.reward_subject(normalised_id),
        "identified_by": _joined(digests),
        "created_at": now,
    }
    upsert = _upsert(tx.dialect.name, *given)
    stored = await first_of(tx, CustomerRow, upsert, **new, **given)
    if stored is None:
        stored = await _update_survivor(tx, normalised_id, given)
    if stored.id == new["id"] and digests:
        stored = await _take_over_guest(tx, stored, given) or stored
    if stored.id == new["id"]:
        await contacts.add(tx, stored.id, digests)
    else:
        await update_contacts(tx, stored)
    if "consent" in given:
        await consents.apply_consent_list(tx, stored.id, customer.consent or (), now)
    return stored.id


async def _callers_id(tx: Tx, customer: str) -> str:
    """Return the caller's id of a customer who is named by our id; any other id is the caller's already."""
    named = await find_named(tx, customer) if survivors.is_our_id(customer) else None
    return named.external_id if named else customer


async def update_contacts(tx: Tx, customer: CustomerRow) -> bool:
    """Bring the customer's digests up to date. Return whether a contact or the secret had changed."""
    identity, before = required(tx.identity), (customer.identified_by or "").split()
    digests = identity.digests(customer.external_id, customer.email, customer.phone)
    if before == [digest.value for digest in digests]:
        return False
    await contacts.replace(tx, customer.merged_into or customer.id, before, digests)
    await change(tx, customers, customer.id, identified_by=_joined(digests))
    return True


def _joined(digests: Sequence[Digest]) -> str:
    return " ".join(digest.value for digest in digests)


@cache
def _upsert(dialect: str, *given: str) -> Any:
    new = insert_for(dialect, customers)
    # The update, even if it changes nothing, makes RETURNING work for an existing row and locks the row. It must not
    # touch the key, because other transactions may add references to the row meanwhile.
    update = {name: new.excluded[name] for name in given} | {"created_at": customers.c.created_at}
    new = new.on_conflict_do_update(
        index_elements=["normalised_id"], set_=update, where=customers.c.merged_into.is_(None)
    )
    return new.returning(customers)


async def _take_over_guest(tx: Tx, new: CustomerRow, given: dict[str, Any]) -> CustomerRow | None:
    """Give the new customer's id to the friend who was known by the same verified contact alone, if there is one.

    Of several, for an id that is an email address, it is the one who came first.
    """
    identity = required(tx.identity)
    own = contacts_of(new.external_id, new.email, new.phone)
    keys = [identity.contact_key(contact.text) for contact in own if contact.kind != "lookalike"]
    found = await first_of(tx, CustomerRow, _GUEST, keys=keys)
    if found is None:
        return None
    await tx.execute(customers.delete().where(customers.c.id == new.id))
    ids = {"external_id": new.external_id, "normalised_id": new.normalised_id, "contact_key": None}
    await change(tx, customers, found.id, **ids, **given)
    return await get(tx, found.id)


_GUEST = locked(
    select(customers)
    .where(
        customers.c.contact_key.in_(bindparam("keys", expanding=True)),
        customers.c.merged_into.is_(None),
    )
    .order_by(customers.c.id)
    .limit(1)
)


async def _update_survivor(tx: Tx, normalised_id: str, given: dict[str, Any]) -> CustomerRow:
    """Update the customer into whom the one with this id was merged, and return that customer."""
    merged = await sql.get(tx, customers, normalised_id=normalised_id)
    survivor = await survivors.lock(tx, merged.id)
    if not given:
        return survivor
    await change(tx, customers, survivor.id, **given)
    return await sql.get(tx, customers, id=survivor.id)


async def find(tx: Tx, customer: str) -> CustomerRow | None:
    """Find the customer for whom the caller's id stands, in any spelling, or our id of a customer or advocate."""
    named = await find_named(tx, customer)
    if named is None or named.merged_into is None:
        return named
    return await sql.get(tx, customers, id=named.merged_into)


async def find_named(tx: Tx, customer: str) -> CustomerRow | None:
    """Find the row of the id itself, even if it was merged into another customer."""
    found = await sql.find(tx, customers, normalised_id=normalise_id(customer))
    if found is None and survivors.is_our_id(customer):
        statement = select(customers).where(survivors.has_our_id(customer))
        return await first_of(tx, CustomerRow, statement)
    return found


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
