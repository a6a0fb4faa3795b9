"""Counters in memory for what may come in any number, so that it costs no transaction each."""

import asyncio
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Hashable, Mapping
from datetime import timedelta
from typing import Generic, TypeVar

from referrals.logging import get_logger
from referrals.store import Store
from referrals.store.db.sql import Tx

K = TypeVar("K", bound=Hashable)

FLUSH_INTERVAL = timedelta(seconds=5)
"""Time between two writes. A crash loses the counts since the last one."""

log = get_logger(__name__)


class BufferedCounts(ABC, Generic[K]):
    """Counts in memory, and adds the counts to the database from time to time, in one statement."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._counts: Counter[K] = Counter()

    @abstractmethod
    async def _write(self, tx: Tx, counts: Mapping[K, int]) -> None:
        """Add the counts to the database."""

    async def flush(self) -> None:
        """Write the counts. They stay in memory if that fails."""
        counts, self._counts = self._counts, Counter()
        if not counts:
            return
        try:
            async with self._store.autocommit() as tx:
                await self._write(tx, counts)
        except Exception:
            self._counts += counts
            log.warning("writing counts failed; trying again later", exc_info=True)

    async def flush_forever(self) -> None:
        """Write the counts at intervals, and a last time when cancelled."""
        try:
            while True:
                await asyncio.sleep(FLUSH_INTERVAL.total_seconds())
                await self.flush()
        finally:
            await self.flush()
