"""Calendar periods follow the campaign's clock: days of 23 and 25 hours, skipped midnights, months of each length."""

import zoneinfo
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from referrals.domain.periods import period_around

ZONES = [
    "UTC",
    "Europe/Berlin",
    "America/Sao_Paulo",  # clocks skipped midnight until 2018
    "America/Havana",  # midnight occurs twice
    "Africa/Cairo",
    "Asia/Kathmandu",
    "Australia/Lord_Howe",  # clocks change by half an hour
    "Pacific/Apia",  # skipped 30 December 2011
]
CALENDAR = ["day", "week", "month"]
START = datetime(2009, 1, 1, tzinfo=UTC)
instants = st.integers(0, 31 * 366 * 86_400).map(lambda s: START + timedelta(seconds=s))
zones = st.sampled_from([*ZONES, *sorted(zoneinfo.available_timezones())]).map(ZoneInfo)


@given(st.sampled_from(CALENDAR), instants, zones)
def test_calendar_periods_cover_all_time_and_do_not_overlap(period, at, zone):
    start, end = period_around(period, at, zone)

    assert start <= at < end
    assert period_around(period, start, zone) == (start, end)
    assert period_around(period, end - timedelta.resolution, zone) == (start, end)
    assert period_around(period, end, zone)[0] == end


@given(st.sampled_from(CALENDAR), instants, zones)
def test_a_calendar_period_starts_with_its_first_day(period, at, zone):
    start, end = (moment.astimezone(zone) for moment in period_around(period, at, zone))
    before = (start.astimezone(UTC) - timedelta.resolution).astimezone(zone)

    assert before.date() < start.date()
    assert {"day": True, "week": start.weekday() == 0, "month": start.day == 1}[period] or (
        str(zone) == "Pacific/Apia"
        or start.date() - before.date() > timedelta(days=1)  # a day was skipped
    )
    assert end.date() > start.date()


@pytest.mark.parametrize(
    ("period", "at", "zone", "start", "end"),
    [
        ("day", "2026-03-29T12:00Z", "Europe/Berlin", "2026-03-28T23:00Z", "2026-03-29T22:00Z"),
        ("day", "2026-10-25T12:00Z", "Europe/Berlin", "2026-10-24T22:00Z", "2026-10-25T23:00Z"),
        ("day", "2018-11-04T12:00Z", "America/Sao_Paulo", "2018-11-04T03:00Z", "2018-11-05T02:00Z"),
        ("week", "2026-03-01T12:00Z", "UTC", "2026-02-23T00:00Z", "2026-03-02T00:00Z"),
        ("month", "2024-02-29T12:00Z", "UTC", "2024-02-01T00:00Z", "2024-03-01T00:00Z"),
        ("month", "2026-12-31T23:30Z", "Europe/Berlin", "2026-12-31T23:00Z", "2027-01-31T23:00Z"),
        ("month", "2026-01-31T00:00Z", "UTC", "2026-01-01T00:00Z", "2026-02-01T00:00Z"),
    ],
)
def test_days_weeks_and_months_in_a_zone(period, at, zone, start, end):
    found = period_around(period, datetime.fromisoformat(at), ZoneInfo(zone))

    assert found == (datetime.fromisoformat(start), datetime.fromisoformat(end))


@given(st.timedeltas(timedelta(seconds=1), timedelta(days=3650)), instants, zones)
def test_a_duration_has_the_same_length_in_each_zone(period, at, zone):
    assert period_around(period, at, zone) == (at - period, at + period)
