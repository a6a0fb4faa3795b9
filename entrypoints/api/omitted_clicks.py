"""Counter of the visits that are no clicks. Anybody can cause them, so that they cost no transaction each."""

import asyncio
from collections import Counter
from datetime import timedelta

from referrals.domain.visits import Omission
from referrals.logging import get_logger
from referrals.store import Store
from referrals.store.codes import omitted_clicks

FLUSH_INTERVAL = timedelta(seconds=10)
"""Time between two writes. A crash loses the counts since the last one."""

log = get_logger(__name__)


class OmittedClicks:
    """Counts in memory, and adds the counts to the database from time to time, in one statement."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._counts: Counter[tuple[str, Omission]] = Counter()

    def count(self, campaign_id: str, reason: Omission) -> None:
        self._counts[campaign_id, reason] += 1

    async def flush(self) -> None:
        """Write the counts. They are kept if that fails."""
        counts, self._counts = self._counts, Counter()
        if not counts:
            return
        try:
            async with self._store.autocommit() as tx:
                await omitted_clicks.add(tx, counts)
        except Exception:
            self._counts += counts
            log.warning("counting omitted clicks failed; trying again later", exc_info=True)

    async def flush_forever(self) -> None:
        """Write the counts at intervals, and a last time when cancelled."""
        try:
            while True:
                await asyncio.sleep(FLUSH_INTERVAL.total_seconds())
                await self.flush()
        finally:
            await self.flush()
