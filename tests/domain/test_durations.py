from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from referrals.domain.durations import MAX_DURATION, Duration

durations: TypeAdapter[timedelta] = TypeAdapter(Duration)


@pytest.mark.parametrize(
    ("text", "duration"),
    [
        ("P14D", timedelta(days=14)),
        ("PT12H", timedelta(hours=12)),
        ("PT1S", timedelta(seconds=1)),
        ("P2W", timedelta(weeks=2)),
        ("P1M", timedelta(days=30)),
        ("P1Y", timedelta(days=365)),
        ("P1Y2M3DT4H5M6S", timedelta(days=428, hours=4, minutes=5, seconds=6)),
        ("P10Y", MAX_DURATION),
    ],
)
def test_an_iso_duration_is_a_length_of_time(text, duration):
    assert durations.validate_python(text) == duration


@pytest.mark.parametrize(
    "value",
    [
        "14 days", "14", "", "P", "PT", "P1DT", "P1H", "1D", "p1d", "-P1D", "+P1D", "P-1D", "P1.5D",
        "P1W2D", "P1D2Y", " P1D", "P1D\n", "01:00:00", "\u0661", "P\u0661D", 14, 14.0, True, None, ["P1D"],
    ],
)  # fmt: skip
def test_anything_else_is_refused_with_an_example(value):
    with pytest.raises(
        ValidationError, match="must be an ISO 8601 duration, such as P14D or PT12H"
    ):
        durations.validate_python(value)


@pytest.mark.parametrize("text", ["P0D", "PT0S", "P3651D", "P10YT1S", "P99999Y"])
def test_a_duration_is_over_zero_and_at_most_ten_years(text):
    with pytest.raises(ValidationError, match="must be longer than zero and at most P10Y"):
        durations.validate_python(text)


@pytest.mark.parametrize("text", ["P999999999999D", "P9999999999999999999999Y"])
def test_a_number_beyond_all_bounds_is_refused(text):
    with pytest.raises(ValidationError):
        durations.validate_python(text)


@given(st.integers(min_value=1, max_value=int(MAX_DURATION.total_seconds())))
def test_a_duration_survives_its_iso_string(seconds):
    duration = timedelta(seconds=seconds)

    assert durations.validate_python(durations.dump_python(duration, mode="json")) == duration
