"""Counter of the refused requests, by which a broken integration is noticed."""

import re
from collections.abc import Mapping

from entrypoints.api.buffered_counts import BufferedCounts
from entrypoints.api.problems import Problem
from referrals.clock import Clock
from referrals.store import Store, refusals
from referrals.store.db.sql import Tx
from referrals.store.refusals import RefusalReason

MAX_REASONS = 200
"""Reasons of one day that a process tells apart; others are counted without their source and field."""
MAX_TEXT_LENGTH = 200


class RefusalCounts(BufferedCounts[RefusalReason]):
    """Counts by API key, source of the event, problem and first field at fault."""

    def __init__(self, store: Store, clock: Clock) -> None:
        super().__init__(store)
        self._clock = clock
        self._day = clock().date()
        self._told_apart: set[RefusalReason] = set()

    def count(self, caller: str, source: object, problem: Problem) -> None:
        """Count a refused request with a valid key; `source` is the event's, if it has one."""
        field = problem.errors[0].field if problem.errors else ""
        reason = RefusalReason(
            caller,
            _plain(source) if isinstance(source, str) else "",
            problem.type.name,
            problem.status,
            _plain(re.sub(r"\[\d+\]", "[]", field)),
        )
        self._counts[self._bounded(reason)] += 1

    def _bounded(self, reason: RefusalReason) -> RefusalReason:
        """Return the reason, without its source and field if there were too many today. Callers choose both."""
        today = self._clock().date()
        if today != self._day:
            self._day, self._told_apart = today, set()
        if reason not in self._told_apart and len(self._told_apart) >= MAX_REASONS:
            return reason._replace(source="", field="")
        self._told_apart.add(reason)
        return reason

    async def _write(self, tx: Tx, counts: Mapping[RefusalReason, int]) -> None:
        await refusals.add(tx, counts, self._clock())


def _plain(text: str) -> str:
    return "".join(filter(str.isprintable, text))[:MAX_TEXT_LENGTH]
