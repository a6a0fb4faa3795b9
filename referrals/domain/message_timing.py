"""When a message may go out: quiet hours and the frequency cap, each written in one line."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from typing import Annotated
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, TypeAdapter

from referrals.domain.durations import Duration

_HOURS = re.compile(r"([01]\d|2[0-3]):([0-5]\d)-([01]\d|2[0-3]):([0-5]\d)", re.ASCII)
_CAP = re.compile(r"([1-9]\d{0,5})/(P\w+)", re.ASCII)
_DURATION: TypeAdapter[timedelta] = TypeAdapter(Duration)


@dataclass(frozen=True)
class QuietHours:
    """From `start` until before `end`, by the clock on the customer's wall; over midnight where `end` is the earlier."""

    start: time
    end: time

    @classmethod
    def parse(cls, text: str) -> "QuietHours":
        """Such as `21:00-08:00`. Raises ValueError."""
        found = _HOURS.fullmatch(text)
        if not found:
            raise ValueError("must be two times of day, such as 21:00-08:00")
        hours = [int(group) for group in found.groups()]
        start, end = time(hours[0], hours[1]), time(hours[2], hours[3])
        if start == end:
            raise ValueError("must be two different times of day")
        return cls(start, end)

    def hold(self, at: datetime) -> bool:
        """Whether a time of day, in the time's own zone, is quiet."""
        if self.start < self.end:
            return self.start <= at.time() < self.end
        return at.time() >= self.start or at.time() < self.end

    def over(self, now: datetime, zone: ZoneInfo) -> datetime | None:
        """The first moment after `now` that is not quiet; None where now is none of the quiet hours.

        Where the clocks are put forward over the end, they are over with the hour that is left out; where they are put
        back over it, when the end comes the second time.
        """
        local = now.astimezone(zone)
        if not self.hold(local):
            return None
        day = local.date()
        if self.start > self.end and local.time() >= self.start:
            day += timedelta(days=1)
        ends = (datetime.combine(day, self.end, zone).replace(fold=fold) for fold in (0, 1))
        moments = (end.astimezone(UTC) for end in ends)
        return next(moment for moment in moments if moment > now)


@dataclass(frozen=True)
class FrequencyCap:
    """No customer gets more than `count` messages within any `period`, over all campaigns."""

    count: int
    period: timedelta

    @classmethod
    def parse(cls, text: str) -> "FrequencyCap":
        """Such as `3/P1D`. Raises ValueError."""
        found = _CAP.fullmatch(text)
        if not found:
            raise ValueError("must be a number and a duration, such as 3/P1D")
        return cls(int(found.group(1)), _DURATION.validate_python(found.group(2)))

    def next_slot_at(self, taken: list[datetime], now: datetime) -> datetime | None:
        """When there is a place again after those `taken`, in order; None where there is one now."""
        within = [at for at in taken if at > now - self.period]
        return within[-self.count] + self.period if len(within) >= self.count else None


def _quiet_hours(text: str) -> str:
    QuietHours.parse(text)
    return text


def _cap(text: str) -> str:
    FrequencyCap.parse(text)
    return text


QuietHoursText = Annotated[str, AfterValidator(_quiet_hours)]
FrequencyCapText = Annotated[str, AfterValidator(_cap)]
