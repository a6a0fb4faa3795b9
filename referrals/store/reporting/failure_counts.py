"""Numbers of what failed at providers, by cause."""

from typing import Any

from sqlalchemy import Table, func, select

from referrals.domain.failure_causes import REMEDIES, FailureCause
from referrals.store import views
from referrals.store.db.sql import Tx, literal_in, rows
from referrals.store.schema import rewards, tracked_events


async def count_rewards(tx: Tx) -> list[views.FailureCount]:
    """Count the failed rewards of all campaigns by cause, most frequent first."""
    return await _count(tx, rewards)


async def count_tracked_events(tx: Tx) -> list[views.FailureCount]:
    """Count the failed tracked events of all campaigns by cause, most frequent first."""
    return await _count(tx, tracked_events)


async def _count(tx: Tx, table: Table[Any]) -> list[views.FailureCount]:
    cause = table.c.failure_cause
    failed = select(cause, func.count()).where(literal_in(table.c.state, "failed"))
    found = [
        views.FailureCount(row[0], row[1], REMEDIES[FailureCause(row[0])])
        for row in await rows(tx, failed.group_by(cause))
        if row[0]
    ]
    return sorted(found, key=lambda counted: (-counted.count, counted.cause))
