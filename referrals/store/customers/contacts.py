"""Digests of contacts, by which customers with different ids are recognised as one person."""

from collections.abc import Sequence
from functools import cache
from typing import Any

from sqlalchemy import CTE, Text, bindparam, case, func, literal_column, select

from referrals.domain.identity import MAX_SHARED_BY, Certainty, Digest
from referrals.store.db.sql import Tx, insert_for
from referrals.store.schema import contacts


async def replace(
    tx: Tx, customer_id: str, before: Sequence[str], digests: Sequence[Digest]
) -> None:
    """Replace the digests of contacts that have changed. Contacts that too many share stay known as such."""
    current = {digest.value for digest in digests}
    removed = [value for value in before if value not in current]
    shared = _count_of(contacts.c.digest) > MAX_SHARED_BY
    own = contacts.c.customer_id == customer_id
    await tx.execute(contacts.delete().where(own, contacts.c.digest.in_(removed), ~shared))
    await add(tx, customer_id, [digest for digest in digests if digest.value not in before])


async def move(tx: Tx, merged_id: str, survivor_id: str) -> None:
    """Let the contacts of a merged customer identify the survivor. Those that too many share stay known as such."""
    own = contacts.c.customer_id == merged_id, _count_of(contacts.c.digest) <= MAX_SHARED_BY
    rows = (await tx.execute(select(contacts).where(*own))).all()
    await tx.execute(contacts.delete().where(*own))
    await add(tx, survivor_id, [Digest(row.kind, row.key_id, row.digest) for row in rows])


async def add(tx: Tx, customer_id: str, digests: Sequence[Digest]) -> None:
    """Add digests that the customer does not have. One that too many customers share already is left out."""
    if digests:
        rows = [
            {
                "value": found.value,
                "customer": customer_id,
                "kind_": found.kind,
                "key": found.key_id,
            }
            for found in digests
        ]
        await tx.execute(_insert(tx.dialect.name), rows)


def _count_of(digest: Any) -> Any:
    every = contacts.alias("every_customer")
    return select(func.count()).where(every.c.digest == digest).scalar_subquery()


_VALUE = bindparam("value", type_=Text)


@cache
def _insert(dialect: str) -> Any:
    """Keep one row more than identifies anybody, so that a shared contact is known as such and costs nothing."""
    columns = [bindparam(name, type_=Text) for name in ("customer", "kind_", "key")]
    new = select(_VALUE, *columns).where(_count_of(_VALUE) <= MAX_SHARED_BY)
    names = ["digest", "customer_id", "kind", "key_id"]
    return insert_for(dialect, contacts).from_select(names, new).on_conflict_do_nothing()


_OWN, _OTHER = contacts.alias("own_contacts"), contacts.alias("other_contacts")


def same_person(customer_id: Any) -> CTE:
    """Return the other customers who share a contact with the customer, with the `certainty` that they are one person."""
    by_email = (_OWN.c.kind == "email") & (_OTHER.c.kind == "email")
    certainty = case((by_email, int(Certainty.CERTAIN)), else_=int(Certainty.POSSIBLE))
    return (
        select(_OTHER.c.customer_id, func.max(certainty).label("certainty"))
        .join(_OWN, _OWN.c.digest == _OTHER.c.digest)
        .where(
            _OWN.c.customer_id == customer_id,
            _OTHER.c.customer_id != customer_id,
            _count_of(_OWN.c.digest) <= MAX_SHARED_BY,
        )
        .group_by(_OTHER.c.customer_id)
        .cte("same_person")
    )


async def lock(tx: Tx, customer_id: str) -> None:
    """Lock the contacts of the customer, as decisions about the customer do, until the transaction ends."""
    if tx.dialect.name == "postgresql":
        await tx.execute(_LOCK, {"customer_id": customer_id})


def locks(customer_id: Any) -> Any:
    """Return an expression for PostgreSQL that locks the contacts of the customer until the transaction ends.

    It is a number. Decisions about one person wait for each other, whatever the ids; read what they decide on in a later
    statement. SQLite has one writer at a time.
    """
    digests = (
        select(func.hashtextextended(contacts.c.digest, literal_column("0")).label("hash"))
        .where(contacts.c.customer_id == customer_id, _count_of(contacts.c.digest) <= MAX_SHARED_BY)
        .distinct()
        .order_by("hash")  # one order for all, so that no two wait for each other
        .subquery()
    )
    return select(func.count(func.pg_advisory_xact_lock(digests.c.hash))).scalar_subquery()


_LOCK = select(locks(bindparam("customer_id", type_=Text)))
