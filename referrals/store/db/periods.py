"""Conditions that select the rows within a period of a limit."""

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from sqlalchemy import ColumnElement

from referrals.domain.periods import CalendarPeriod, period_around


def within(
    column: ColumnElement[datetime] | ColumnElement[datetime | None],
    period: timedelta | CalendarPeriod,
    at: datetime,
    zone: ZoneInfo,
) -> list[ColumnElement[bool]]:
    """Select the times within a duration before `at`, and any later ones; or those in the same calendar period."""
    start, end = period_around(period, at, zone)
    if isinstance(period, timedelta):
        return [column > start]
    return [column >= start, column < end]
