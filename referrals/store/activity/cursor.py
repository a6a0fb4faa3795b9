"""The high-water mark of the activity log: the id up to which it is complete.

On PostgreSQL an id is drawn before its transaction commits, so a lower id can become visible after a higher one. A
transaction that inserts holds the table's RowExclusiveLock from before it draws an id until its rows are visible. So
read the newest id first and the holders of that lock second: every lower id that is still missing belongs to one of
them, and when they have ended, nothing below that id is missing. SQLite has one writer, so its ids appear in order.
"""

from dataclasses import dataclass

from sqlalchemy import func, select, text

from referrals.store.db.sql import Tx, one
from referrals.store.schema import activity

_WRITERS = text(
    "SELECT virtualtransaction FROM pg_locks WHERE locktype = 'relation' AND granted "
    "AND relation = 'activity'::regclass AND mode = 'RowExclusiveLock' "
    "AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
)


@dataclass
class ActivityLogCursor:
    """The high-water mark as one process knows it. Each call of `advance` may raise it."""

    high_water_mark: int = 0
    _newest: int = 0
    _writers: frozenset[str] = frozenset()

    async def advance(self, tx: Tx) -> int:
        """Return the id up to which no row can appear any more."""
        if not self._writers & await _writers(tx):
            self.high_water_mark = self._newest
            self._newest = await newest_id(tx)
            self._writers = await _writers(tx)
        if not self._writers:
            self.high_water_mark = self._newest
        return self.high_water_mark


async def newest_id(tx: Tx) -> int:
    """Return the highest visible id; lower ones may not be visible yet."""
    return int((await one(tx, select(func.coalesce(func.max(activity.c.id), 0))))[0])


async def _writers(tx: Tx) -> frozenset[str]:
    """Return the transactions that have inserted into the log and have not ended."""
    if tx.dialect.name == "sqlite":
        return frozenset()
    return frozenset((await tx.execute(_WRITERS)).scalars())
