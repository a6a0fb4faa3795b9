"""Customers, found by their id, email or name."""

from typing import Any

from sqlalchemy import ColumnElement, func, select

from referrals.store import views
from referrals.store.customers import survivors
from referrals.store.db.pages import Cursor, newest_first
from referrals.store.db.sql import Tx
from referrals.store.schema import CustomerRow, contacts, customers
from referrals.store.views import Page

MAX_NAMES_SEARCHED = 10_000
"""Customers whose names are searched, newest first, so that a search is bounded."""


async def list_customers(
    tx: Tx,
    cursor: Cursor,
    *,
    customer: str | None = None,
    email: str | None = None,
    name: str | None = None,
) -> Page[views.ListedCustomer]:
    """List customers, newest first; merged ones under their survivor.

    `customer` is any id that is or was the customer's. `email` may have any spelling: it is found by its digest. `name` is
    a part of the name, in any case, among the newest customers.
    """
    conditions: list[ColumnElement[bool]] = [customers.c.merged_into.is_(None)]
    if customer is not None:
        conditions.append(customers.c.id == survivors.id_of(customer))
    if email is not None:
        conditions.append(customers.c.id.in_(_with_email(tx, email)))
    if name is not None:
        conditions.append(customers.c.id.in_(_newest()))
        conditions.append(func.lower(customers.c.name).contains(name.lower(), autoescape=True))
    statement = select(customers).where(*conditions)
    return await newest_first(tx, statement, (customers.c.id,), cursor, _to_view)


def _with_email(tx: Tx, email: str) -> Any:
    assert tx.identity is not None
    values = [digest.value for digest in tx.identity.digests("", email, None)]
    return select(contacts.c.customer_id).where(
        contacts.c.digest.in_(values), contacts.c.kind == "email"
    )


def _newest() -> Any:
    newest = select(customers.c.id).order_by(customers.c.id.desc()).limit(MAX_NAMES_SEARCHED)
    return select(newest.subquery().c.id)


def _to_view(row: CustomerRow) -> views.ListedCustomer:
    return views.ListedCustomer(
        id=row.external_id,
        name=row.name,
        locale=row.locale,
        customer_since=row.customer_since,
        created_at=row.created_at,
    )
