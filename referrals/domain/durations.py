"""Durations in ISO 8601 notation."""

import re
from datetime import timedelta
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, TypeAdapter, WithJsonSchema

MAX_DURATION = timedelta(days=3650)
"""Ten years, P10Y."""

ISO_DURATION = re.compile(
    r"P(?=[0-9T])([0-9]+W|([0-9]+Y)?([0-9]+M)?([0-9]+D)?(T(?=[0-9])([0-9]+H)?([0-9]+M)?([0-9]+S)?)?)"
)
DURATION_SCHEMA = {
    "title": "Duration",
    "description": "An ISO 8601 duration, longer than zero and at most `P10Y`. A year has 365 days, a month 30 days.",
    "type": "string",
    "format": "duration",
    "pattern": f"^(?=.*[1-9]){ISO_DURATION.pattern}$",
    "examples": ["P14D", "PT12H"],
}


def _only_iso(value: Any) -> Any:
    if isinstance(value, timedelta) or (isinstance(value, str) and ISO_DURATION.fullmatch(value)):
        return value
    raise ValueError("must be an ISO 8601 duration, such as P14D or PT12H")


def _within_bounds(value: timedelta) -> timedelta:
    if not timedelta() < value <= MAX_DURATION:
        raise ValueError("must be longer than zero and at most P10Y")
    return value


Duration = Annotated[
    timedelta,
    BeforeValidator(_only_iso),
    AfterValidator(_within_bounds),
    WithJsonSchema(DURATION_SCHEMA),
]
"""Duration of more than zero and at most ten years, parsed from and serialised to ISO 8601.

A year is 365 days and a month is 30 days: windows of a campaign are durations, not calendar periods.
"""

_DURATION = TypeAdapter(Duration)


def parse_duration(value: str | timedelta) -> timedelta:
    """Parse an ISO 8601 duration and check its bounds."""
    return _DURATION.validate_python(value)
