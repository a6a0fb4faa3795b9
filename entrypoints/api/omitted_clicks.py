"""Counter of the visits that are no clicks. Anybody can cause them."""

from collections.abc import Mapping

from entrypoints.api.buffered_counts import BufferedCounts
from referrals.domain.visits import Omission
from referrals.store.codes import omitted_clicks
from referrals.store.db.sql import Tx


class OmittedClicks(BufferedCounts[tuple[str, Omission]]):
    """Counts by campaign and reason."""

    def count(self, campaign_id: str, reason: Omission) -> None:
        self._counts[campaign_id, reason] += 1

    async def _write(self, tx: Tx, counts: Mapping[tuple[str, Omission], int]) -> None:
        await omitted_clicks.add(tx, counts)
