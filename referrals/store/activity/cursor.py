"""Up to where the activity log is complete.

On PostgreSQL a row's id is drawn before its transaction commits, so that an id can appear after a higher one. Whoever
inserts into a table holds its RowExclusiveLock from before an id is drawn until the transaction has ended and its
rows are visible. So when the newest id is seen first, and the holders of that lock are looked at after it, then every
lower id that is still to appear belongs to one of these holders; when they are gone, nothing below it is missing.
SQLite has one writer at a time, and its ids appear in their order.
"""

from dataclasses import dataclass

from sqlalchemy import func, select, text

from referrals.store.db.sql import Tx, one, scalars
from referrals.store.schema import activity

_WRITERS = text(
    "SELECT virtualtransaction FROM pg_locks WHERE locktype = 'relation' AND granted "
    "AND relation = 'activity'::regclass AND mode = 'RowExclusiveLock' "
    "AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
)


@dataclass
class Tail:
    """What one process knows of it; the longer it looks, the further it gets."""

    complete: int = 0
    _newest: int = 0
    _writers: frozenset[str] = frozenset()

    async def look(self, tx: Tx) -> int:
        """The id up to which nothing can appear any more."""
        if not self._writers & await _writers(tx):
            self.complete = self._newest
            self._newest = await newest(tx)
            self._writers = await _writers(tx)
        if not self._writers:
            self.complete = self._newest
        return self.complete


async def newest(tx: Tx) -> int:
    """The highest id in sight; lower ones may be missing yet."""
    return int((await one(tx, select(func.coalesce(func.max(activity.c.id), 0))))[0])


async def _writers(tx: Tx) -> frozenset[str]:
    """The transactions that have inserted, or are about to."""
    if tx.dialect.name == "sqlite":
        return frozenset()
    return frozenset(await scalars(tx, _WRITERS))
