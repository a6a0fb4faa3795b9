"""Orders that events are about, as lists show them."""

from sqlalchemy import select

from referrals.store import views
from referrals.store.db.pages import Cursor, newest_first
from referrals.store.db.sql import Tx
from referrals.store.schema import OrderRow, orders
from referrals.store.schema.referrals import UNKNOWN_ORDER
from referrals.store.views import Page


async def list_unknown(tx: Tx, cursor: Cursor) -> Page[views.UnknownOrder]:
    """List the orders that no conversion has named, newest first."""
    statement = select(orders).where(UNKNOWN_ORDER)
    return await newest_first(tx, statement, (orders.c.id,), cursor, _to_view)


def _to_view(row: OrderRow) -> views.UnknownOrder:
    return views.UnknownOrder(row.source, row.external_id, row.created_at)
