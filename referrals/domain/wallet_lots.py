"""Remaining balance of each grant (lot) of a wallet, computed from the ledger entries alone."""

from collections.abc import Iterable
from datetime import UTC, datetime
from heapq import heappop, heappush
from typing import NamedTuple

BEGINNING = datetime.min.replace(tzinfo=UTC)
UNNAMED_LOT = ""
"""Name of the lot of amounts that no reward granted: a spending of a merged customer that was reversed."""
NEVER = datetime.max.replace(tzinfo=UTC)


class LotEntry(NamedTuple):
    """One ledger entry of a wallet. A positive amount is a grant (a lot), a negative amount a deduction."""

    amount: int
    lot: str | None
    """Id of the lot that was granted, rolled back or expired; None for a redemption."""
    expires_at: datetime | None
    at: datetime = BEGINNING


def remaining_by_lot(entries: Iterable[LotEntry]) -> dict[str, int]:
    """Return the remaining amount of each lot after the entries, applied in order.

    A redemption uses the lots that expire first, of those that have not expired yet. A roll-back or an expiry reduces its own lot first and then
    continues like a redemption. A shortfall reduces later lots.
    """
    lots: dict[str, int] = {}
    queue: list[tuple[datetime, int, str]] = []
    shortfall = 0
    for index, entry in enumerate(entries):
        if entry.amount > 0:
            name = entry.lot or UNNAMED_LOT
            repaid = min(shortfall, entry.amount)
            shortfall -= repaid
            lots[name] = lots.get(name, 0) + entry.amount - repaid
            heappush(queue, (entry.expires_at or NEVER, index, name))
        else:
            shortfall += _deduct(lots, queue, entry)
    return lots


def _deduct(lots: dict[str, int], queue: list[tuple[datetime, int, str]], entry: LotEntry) -> int:
    """Deduct the entry from the lots and return the shortfall."""
    own = min(-entry.amount, lots.get(entry.lot, 0) if entry.lot else 0)
    missing = -entry.amount - own
    if own:
        lots[entry.lot or UNNAMED_LOT] -= own
    while queue and queue[0][0] <= entry.at:
        heappop(queue)
    while missing and queue:
        first_to_expire = queue[0][2]
        deducted = min(missing, lots[first_to_expire])
        lots[first_to_expire] -= deducted
        missing -= deducted
        if not lots[first_to_expire]:
            heappop(queue)
    return missing
