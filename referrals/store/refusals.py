"""Requests that were refused with a 4xx, counted by day and reason."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from functools import cache
from typing import Any, NamedTuple

from sqlalchemy import func, select

from referrals.store import views
from referrals.store.db.pages import Cursor, newest_first
from referrals.store.db.sql import Tx, insert_for, one, rows_of
from referrals.store.schema import RefusalRow, refusals

INPUT_STATUSES = (400, 413, 415, 422)
"""Status of requests that could not be understood."""
SUMMARISED = timedelta(days=7)
RETENTION = timedelta(days=90)
"""Age of the days whose counts are deleted. Each day has a bounded number of reasons."""


class RefusalReason(NamedTuple):
    """Reason of a refusal: the problem type and the first field at fault, for one API key and source of events."""

    caller: str
    source: str
    type: str
    status: int
    field: str


async def add(tx: Tx, counts: Mapping[RefusalReason, int], now: datetime) -> None:
    """Add these numbers of refusals to those of the day. Counts of days past their retention are deleted."""
    day = now.replace(hour=0, minute=0, second=0, microsecond=0)
    # Sorted, so that two processes that write at once cannot deadlock.
    values = [
        {**reason._asdict(), "day": day, "count": count, "last_at": now}
        for reason, count in sorted(counts.items())
    ]
    if values:
        await tx.execute(_add(tx.dialect.name), values)
        await tx.execute(refusals.delete().where(refusals.c.day < day - RETENTION))


@cache
def _add(dialect: str) -> Any:
    new = insert_for(dialect, refusals)
    key = ("day", *RefusalReason._fields)
    more = {"count": refusals.c.count + new.excluded.count, "last_at": new.excluded.last_at}
    return new.on_conflict_do_update(index_elements=key, set_=more)


async def list_refusals(tx: Tx, cursor: Cursor) -> views.Page[views.Refusal]:
    """List the reasons with their counts, the last that occurred first."""
    order = (refusals.c.last_at, refusals.c.id)
    return await newest_first(tx, select(refusals), order, cursor, _view)


async def count_recent(tx: Tx, now: datetime) -> int:
    """Count the refusals of the last days."""
    total = func.coalesce(func.sum(refusals.c.count), 0)
    statement = select(total).where(refusals.c.last_at > now - SUMMARISED)
    return int((await one(tx, statement))[0])


async def list_misunderstood(tx: Tx, since: datetime) -> list[views.Refusal]:
    """List the reasons since then for which requests could not be understood, or used an event's id again."""
    is_misunderstood = refusals.c.status.in_(INPUT_STATUSES) | (
        refusals.c.type == "event-id-reused"
    )
    statement = select(refusals).where(refusals.c.last_at > since, is_misunderstood)
    found = await rows_of(tx, RefusalRow, statement.order_by(refusals.c.last_at.desc()).limit(10))
    return [_view(row) for row in found]


def _view(row: RefusalRow) -> views.Refusal:
    return views.Refusal(
        day=row.day.date(),
        caller=row.caller,
        source=row.source or None,
        type=row.type,
        status=row.status,
        field=row.field or None,
        count=row.count,
        last_at=row.last_at,
    )
