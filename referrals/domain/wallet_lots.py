"""Which of its grants a wallet still holds, told from its entries alone: nothing is kept beside them."""

from collections.abc import Iterable
from datetime import UTC, datetime
from heapq import heappop, heappush
from typing import NamedTuple

NEVER = datetime.max.replace(tzinfo=UTC)


class LotEntry(NamedTuple):
    """One entry of a wallet: a grant (a lot) where the amount is positive, else what went out of it."""

    amount: int
    lot: str | None
    """The lot that came in, or that was taken back or expired; None for a spending."""
    expires_at: datetime | None


def remaining_by_lot(lines: Iterable[LotEntry]) -> dict[str, int]:
    """What is left of each lot after these entries, in their order.

    A spending uses up what expires soonest of what is there at the time. What is taken back, or expires, comes out of
    its own lot first and then goes on like a spending. What takes a wallet below zero comes out of the lots to come.
    """
    lots: dict[str, int] = {}
    queue: list[tuple[datetime, int, str]] = []
    short = 0
    for place, line in enumerate(lines):
        if line.amount > 0:
            name = str(line.lot)
            filled = min(short, line.amount)
            short -= filled
            lots[name] = line.amount - filled
            heappush(queue, (line.expires_at or NEVER, place, name))
        else:
            short += _take(lots, queue, line)
    return lots


def _take(lots: dict[str, int], queue: list[tuple[datetime, int, str]], line: LotEntry) -> int:
    """Take the line's amount out of the lots; returns what they did not hold."""
    own = min(-line.amount, lots.get(line.lot or "", 0))
    missing = -line.amount - own
    if own:
        lots[str(line.lot)] -= own
    while missing and queue:
        soonest = queue[0][2]
        taken = min(missing, lots[soonest])
        lots[soonest] -= taken
        missing -= taken
        if not lots[soonest]:
            heappop(queue)
    return missing
