"""Times at which messages may be sent: quiet hours and the frequency cap."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from typing import Annotated
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, TypeAdapter, WithJsonSchema

from referrals.domain.durations import Duration

_HOURS = re.compile(r"([01][0-9]|2[0-3]):([0-5][0-9])-([01][0-9]|2[0-3]):([0-5][0-9])")
_CAP = re.compile(r"([1-9]\d{0,5})/(P\w+)", re.ASCII)
_DURATION: TypeAdapter[timedelta] = TypeAdapter(Duration)


@dataclass(frozen=True)
class QuietHours:
    """Daily quiet hours from `start` to before `end` in local time. They span midnight if `end` is earlier."""

    start: time
    end: time

    @classmethod
    def parse(cls, text: str) -> "QuietHours":
        """Parse quiet hours such as `21:00-08:00`.

        Raises:
            ValueError: the text is malformed, or both times are equal.
        """
        found = _HOURS.fullmatch(text)
        if not found:
            raise ValueError("must be two times of day, such as 21:00-08:00")
        hours = [int(group) for group in found.groups()]
        start, end = time(hours[0], hours[1]), time(hours[2], hours[3])
        if start == end:
            raise ValueError("must be two different times of day")
        return cls(start, end)

    def contain(self, at: datetime) -> bool:
        """Return True if the local time of `at` is within the quiet hours."""
        if self.start < self.end:
            return self.start <= at.time() < self.end
        return at.time() >= self.start or at.time() < self.end

    def end_after(self, now: datetime, zone: ZoneInfo) -> datetime | None:
        """Return the end of the current quiet hours, or None if `now` is outside of them.

        If clocks skip the end, the quiet hours end after the skipped hour. If clocks repeat it, they end the second
        time.
        """
        local = now.astimezone(zone)
        if not self.contain(local):
            return None
        day = local.date()
        if self.start > self.end and local.time() >= self.start:
            day += timedelta(days=1)
        ends = (datetime.combine(day, self.end, zone).replace(fold=fold) for fold in (0, 1))
        moments = (end.astimezone(UTC) for end in ends)
        return next(moment for moment in moments if moment > now)


@dataclass(frozen=True)
class FrequencyCap:
    """Maximum of `count` messages per customer within any `period`, across all campaigns."""

    count: int
    period: timedelta

    @classmethod
    def parse(cls, text: str) -> "FrequencyCap":
        """Parse a cap such as `3/P1D`.

        Raises:
            ValueError: the text is malformed.
        """
        found = _CAP.fullmatch(text)
        if not found:
            raise ValueError("must be a number and a duration, such as 3/P1D")
        return cls(int(found.group(1)), _DURATION.validate_python(found.group(2)))

    def next_slot_at(self, sent: list[datetime], now: datetime) -> datetime | None:
        """Return the time at which another message may be sent, or None if it may be sent now.

        Args:
            sent: Times of the messages sent so far, in order.
            now: The current time.
        """
        recent = [at for at in sent if at > now - self.period]
        return recent[-self.count] + self.period if len(recent) >= self.count else None


def _quiet_hours(text: str) -> str:
    QuietHours.parse(text)
    return text


def _cap(text: str) -> str:
    FrequencyCap.parse(text)
    return text


QuietHoursText = Annotated[
    str,
    AfterValidator(_quiet_hours),
    WithJsonSchema(
        {
            "title": "QuietHours",
            "description": "Two different times of day, the beginning and the end.",
            "type": "string",
            "pattern": f"^{_HOURS.pattern}$",
            "examples": ["21:00-08:00"],
        }
    ),
]
FrequencyCapText = Annotated[str, AfterValidator(_cap)]
