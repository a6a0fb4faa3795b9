"""Model of an order: the fold of its events by their times."""

from datetime import datetime
from typing import NamedTuple

PART = 20


class Change(NamedTuple):
    """An event of an order; `value` is the amount, or the id of the refund."""

    at: datetime
    number: int
    kind: str
    value: int | str | None = None


class Order:
    """An order. A refund `part` is of 20.00, one called `whole` of everything."""

    def __init__(self) -> None:
        self.changes: list[Change] = []

    def objection(self, minimum: int, since: datetime | None = None) -> str | None:
        """Return the reason why a conversion by this order does not count; events until `since` do not either."""
        gross, cancelled, refunds = 0, False, set[str]()
        known = set[str]()
        for change in sorted(self.changes):
            counts = since is None or change.at > since
            if change.kind in ("sold", "converted", "order_updated"):
                gross = int(change.value or 0)
            if change.kind == "sold":
                cancelled = False
                refunds = set() if "whole" in refunds else refunds
            elif change.kind == "order_cancelled":
                cancelled = counts
            elif change.kind == "order_reinstated":
                cancelled, refunds = False, set()
            elif change.kind == "order_refunded" and change.value not in known:
                known.add(str(change.value))
                refunds |= {str(change.value)} if counts else set()
        if cancelled:
            return "order_cancelled"
        if "whole" in refunds:
            return "order_refunded"
        return "no_longer_qualifies" if gross - PART * len(refunds) < minimum else None
