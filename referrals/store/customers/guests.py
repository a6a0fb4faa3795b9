"""Friends who are known by an email or phone alone, until they come under an id of the caller."""

from datetime import datetime
from typing import Any

from sqlalchemy import func, select

from referrals.domain.codes import code_key
from referrals.domain.events import Customer, Friend
from referrals.domain.identity import canonical_email, canonical_phone
from referrals.store.customers import consents, profiles, survivors
from referrals.store.db import sql
from referrals.store.db.columns import required
from referrals.store.db.ids import new_id
from referrals.store.db.sql import Tx, insert, one_of, scalars
from referrals.store.schema import CustomerRow, contacts, customers


async def upsert_friend(
    tx: Tx, friend: Friend, code: str | None, now: datetime, *, signs_up: bool
) -> str:
    """Insert or update a friend, with or without an id, and return the internal id.

    A contact that is not verified may be anybody's: a sign-up with it identifies nobody, and belongs to its code. So nobody
    claims the orders of strangers by entering their addresses, nor keeps them from being referred.
    """
    if friend.id is not None:
        return await profiles.upsert(tx, friend, now)
    contact, identity = _contact_of(friend), required(tx.identity)
    verified_key = identity.contact_key(contact)
    is_known = await sql.find(tx, customers, contact_key=verified_key) is not None
    if friend.verified and not is_known and (known := await _find_by_email(tx, friend)):
        return known
    own_key = identity.contact_key(f"{contact}/{code_key(code or '')}")
    is_theirs = friend.verified or (is_known and not signs_up)
    key = verified_key if is_theirs else own_key
    stored = await _upsert(tx, friend, key, now)
    if stored.merged_into:
        stored = await survivors.lock(tx, stored.merged_into)
    if friend.verified or not signs_up:
        await profiles.update_contacts(tx, stored)
    if friend.consent is not None:
        await consents.apply_consent_list(tx, stored.id, friend.consent, now)
    return stored.id


def event_contact(tx: Tx, person: Customer | Friend) -> str | None:
    """Return the digest of the contact by which alone the event names the person, to recognise a repeat; else None."""
    if person.id is not None or not isinstance(person, Friend):
        return None
    return required(tx.identity).contact_key(_contact_of(person))


def _contact_of(friend: Friend) -> str:
    if friend.email:
        return f"email:{canonical_email(friend.email)}"
    return f"phone:{canonical_phone(friend.phone or '')}"


async def _find_by_email(tx: Tx, friend: Friend) -> str | None:
    """Find the only customer with the friend's email address."""
    digests = required(tx.identity).digests("", friend.email, None)
    values = [digest.value for digest in digests if digest.kind == "email"]
    statement = select(contacts.c.customer_id).where(
        contacts.c.digest.in_(values), contacts.c.kind == "email"
    )
    found = await scalars(tx, statement.distinct())
    return found[0] if len(found) == 1 else None


async def _upsert(tx: Tx, friend: Friend, key: str, now: datetime) -> CustomerRow:
    given = friend.model_dump(exclude_unset=True, exclude={"id", "verified"})
    own_id = new_id("cus")
    row: dict[str, Any] = {
        "id": own_id,
        "external_id": own_id,
        "normalised_id": own_id,
        "contact_key": key,
        "reward_subject": key,
        "created_at": now,
    }
    new = insert(tx, customers).values(row | given)
    names = {name: func.coalesce(new.excluded[name], customers.c[name]) for name in given}
    new = new.on_conflict_do_update(
        index_elements=["contact_key"], set_=names | {"created_at": customers.c.created_at}
    )
    return await one_of(tx, CustomerRow, new.returning(customers))
