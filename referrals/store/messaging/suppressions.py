"""Suppressed addresses: no message reaches them, so none is sent.

Only a hash of the address is stored; another address of the same customer is not suppressed.
"""

from datetime import datetime
from hashlib import sha256

from sqlalchemy import select

from referrals.domain.reasons import Reason
from referrals.store import views
from referrals.store.customers import survivors
from referrals.store.db.pages import Cursor, newest_first
from referrals.store.db.sql import Tx, first, insert
from referrals.store.schema import SuppressionRow, customers, suppressions
from referrals.store.views import Page


def hash_address(address: str) -> str:
    return sha256(address.encode()).hexdigest()


async def add(
    tx: Tx, customer_id: str, channel: str, address_hash: str, reason: Reason, now: datetime
) -> None:
    await tx.execute(
        insert(tx, suppressions)
        .values(
            customer_id=customer_id,
            channel=channel,
            address_hash=address_hash,
            reason_code=reason.code,
            reason=reason.message,
            since=now,
        )
        .on_conflict_do_nothing()
    )


async def is_suppressed(tx: Tx, customer_id: str, channel: str, address: str) -> bool:
    statement = select(suppressions.c.since).where(
        suppressions.c.customer_id == customer_id,
        suppressions.c.channel == channel,
        suppressions.c.address_hash == hash_address(address),
    )
    return await first(tx, statement) is not None


async def lift(tx: Tx, customer_id: str, channel: str) -> bool:
    """Lift the suppression of all the customer's addresses on the channel. Return False if there was none."""
    statement = suppressions.delete().where(
        suppressions.c.customer_id == customer_id, suppressions.c.channel == channel
    )
    return bool((await tx.execute(statement)).rowcount)


class _ListedSuppression(SuppressionRow):
    customer: str


async def list_suppressions(
    tx: Tx, cursor: Cursor, *, customer: str | None = None
) -> Page[views.Suppression]:
    statement = select(suppressions, customers.c.external_id.label("customer")).join(
        customers, customers.c.id == suppressions.c.customer_id
    )
    if customer is not None:
        statement = statement.where(customers.c.id == survivors.id_of(customer))

    def to_view(row: _ListedSuppression) -> views.Suppression:
        reason = views.Reason(row.reason_code, row.reason)
        return views.Suppression(row.customer, row.channel, reason, row.since)

    return await newest_first(tx, statement, (suppressions.c.id,), cursor, to_view)
