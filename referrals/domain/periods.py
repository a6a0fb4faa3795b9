"""Periods of limits: a duration before a time, or the calendar's day, week or month in the campaign's time zone."""

from datetime import UTC, date, datetime, time, timedelta
from typing import Annotated, Any, Literal, cast, get_args
from zoneinfo import ZoneInfo

from pydantic import ValidatorFunctionWrapHandler, WithJsonSchema, WrapValidator

from referrals.domain.durations import DURATION_SCHEMA, ISO_DURATION, parse_duration

CalendarPeriod = Literal["day", "week", "month"]


def _period(value: Any, _: ValidatorFunctionWrapHandler) -> timedelta | CalendarPeriod:
    for period in get_args(CalendarPeriod):
        if value == period:
            return cast(CalendarPeriod, period)
    if isinstance(value, timedelta) or (isinstance(value, str) and ISO_DURATION.fullmatch(value)):
        return parse_duration(value)
    raise ValueError("must be an ISO 8601 duration such as P14D, or day, week or month")


_PERIOD_SCHEMA = {
    "title": "Period",
    "description": "A calendar period in the campaign's time zone (weeks start on Monday), or a duration.",
    "anyOf": [{"type": "string", "enum": [*get_args(CalendarPeriod)]}, DURATION_SCHEMA],
    "examples": ["month", "P30D"],
}
Period = Annotated[
    timedelta | CalendarPeriod, WrapValidator(_period), WithJsonSchema(_PERIOD_SCHEMA)
]
"""A duration of at most ten years, or a calendar period. Weeks start on Monday."""


def period_around(
    period: timedelta | CalendarPeriod, at: datetime, zone: ZoneInfo
) -> tuple[datetime, datetime]:
    """Return the start of the period that ends at or contains `at`, and the end of that which starts at or contains it.

    A calendar period contains its start and not its end. A duration reaches from `at` in both directions.
    """
    if isinstance(period, timedelta):
        return at - period, at + period
    first = _first_day(period, at.astimezone(zone).date())
    return _midnight(first, zone), _midnight(_first_day_of_next(period, first), zone)


def _first_day(period: CalendarPeriod, day: date) -> date:
    if period == "month":
        return day.replace(day=1)
    return day - timedelta(days=day.weekday()) if period == "week" else day


def _first_day_of_next(period: CalendarPeriod, first: date) -> date:
    if period == "month":
        return (first + timedelta(days=31)).replace(day=1)
    return first + timedelta(days=7 if period == "week" else 1)


def _midnight(day: date, zone: ZoneInfo) -> datetime:
    """Return the first instant of the day. Where clocks skip midnight, the day starts after the skipped time."""
    return datetime.combine(day, time(), zone).astimezone(UTC)
