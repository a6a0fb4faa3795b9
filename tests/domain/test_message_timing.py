"""Quiet hours and the cap."""

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from referrals.domain.message_timing import FrequencyCap, QuietHours

BERLIN = ZoneInfo("Europe/Berlin")
NEW_YEAR = datetime(2024, 1, 1, tzinfo=UTC)
NIGHT = QuietHours.parse("21:00-08:00")


def at(text: str, zone: str = "Europe/Berlin", fold: int = 0) -> datetime:
    """A time on that zone's wall."""
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone), fold=fold)


@pytest.mark.parametrize(
    ("now", "over"),
    [
        ("2026-03-04T20:59:59", None),
        ("2026-03-04T21:00:00", "2026-03-05T08:00:00"),
        ("2026-03-05T00:00:00", "2026-03-05T08:00:00"),
        ("2026-03-05T07:59:59", "2026-03-05T08:00:00"),
        ("2026-03-05T08:00:00", None),
        ("2026-03-28T23:00:00", "2026-03-29T08:00:00"),
        ("2026-10-24T23:00:00", "2026-10-25T08:00:00"),
    ],
)
def test_the_night_is_over_in_the_morning(now: str, over: str | None):
    expected = at(over) if over else None

    assert NIGHT.end_after(at(now).astimezone(UTC), BERLIN) == expected


def test_a_zone_with_quarters_of_an_hour_has_its_own_night():
    over = NIGHT.end_after(datetime(2026, 3, 4, 15, 30, tzinfo=UTC), ZoneInfo("Asia/Kathmandu"))

    assert over == datetime(2026, 3, 5, 2, 15, tzinfo=UTC)


def test_an_end_that_the_clocks_leave_out_comes_with_the_hour_that_is_left_out():
    over = QuietHours.parse("23:00-02:30").end_after(at("2026-03-29T01:00:00"), BERLIN)

    assert over is not None
    assert over.astimezone(BERLIN) == at("2026-03-29T03:30:00")


def test_quiet_hours_end_at_the_second_occurrence_of_a_repeated_hour():
    hours = QuietHours.parse("23:00-02:30")

    for fold in (0, 1):
        now = at("2026-10-25T02:10:00", fold=fold).astimezone(UTC)
        assert hours.end_after(now, BERLIN) == now + timedelta(minutes=20)


@given(
    start=st.times().map(lambda t: t.replace(second=0, microsecond=0)),
    end=st.times().map(lambda t: t.replace(second=0, microsecond=0)),
    now=st.integers(0, 6 * 365 * 24 * 60).map(lambda n: NEW_YEAR + timedelta(minutes=n)),
    zone=st.sampled_from(
        ["UTC", "Europe/Berlin", "America/New_York", "Asia/Kathmandu", "Australia/Lord_Howe"]
    ),
)
def test_quiet_hours_end_within_a_day_and_not_in_quiet_hours(
    start: time, end: time, now: datetime, zone: str
):
    if start == end:
        return
    hours, place = QuietHours(start, end), ZoneInfo(zone)

    over = hours.end_after(now, place)

    assert (over is None) == (not hours.contain(now.astimezone(place)))
    if over is not None:
        assert now < over <= now + timedelta(hours=26)
        assert over.astimezone(place).date() - now.astimezone(place).date() <= timedelta(days=1)


@pytest.mark.parametrize("text", ["", "21-8", "21:00", "24:00-08:00", "08:00-08:00", "9:00-10:00"])
def test_what_are_no_quiet_hours_is_refused(text: str):
    with pytest.raises(ValueError, match="must be"):
        QuietHours.parse(text)


@pytest.mark.parametrize("text", ["", "0/P1D", "3", "3/1d", "-1/P1D", "3/P0D"])
def test_what_is_no_cap_is_refused(text: str):
    with pytest.raises(ValueError, match="must be"):
        FrequencyCap.parse(text)


def test_a_place_is_free_when_the_oldest_that_counts_is_a_period_ago():
    cap, now = FrequencyCap.parse("2/P1D"), datetime.combine(date(2026, 3, 4), time(12), UTC)
    hours = [now - timedelta(hours=ago) for ago in (30, 20, 5)]

    assert cap.next_slot_at(hours[:2], now) is None
    assert cap.next_slot_at(hours, now) == now + timedelta(hours=4)
    assert cap.next_slot_at([*hours, now], now) == now + timedelta(hours=19)
