"""The interpreter of journeys: from where a run stands, and what is known, to what is next. Pure; it acts by nobody.

A journey is laid out as a list of steps in reading order, so that a run stands at a number. The number of a step is
part of the keys of its effects; it never changes, because a run keeps the definition that it began under.
"""

from dataclasses import dataclass, replace
from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

from referrals.domain.journeys import BranchStep, Journey, Step, WaitStep


@dataclass(frozen=True)
class PlannedStep:
    """One step with its number, and the numbers of what comes after it."""

    number: int
    step: Step
    next: int
    otherwise: int
    """After a branch whose condition does not hold; elsewhere the same as `next`."""


@dataclass(frozen=True)
class JourneyPosition:
    """Where a run stands: before the step `number`, or waiting at it until `wake_at` or the event `awaits`."""

    number: int = 0
    wake_at: datetime | None = None
    awaits: str | None = None
    happened: bool = False
    """Whether the last event that was awaited came before its time-out."""


class JourneyPlan:
    """A journey laid out."""

    def __init__(self, journey: Journey) -> None:
        self._stops: list[PlannedStep] = []
        self._end = sum(1 for _ in journey.walk())
        self._lay_out(journey.steps, self._end)

    def at(self, standing: JourneyPosition) -> PlannedStep | None:
        """The step that is next; None at the end."""
        return self._stops[standing.number] if standing.number < len(self._stops) else None

    def recipient_after(self, number: int) -> str | None:
        """Whom the next message after the step goes to, if any: their day is the one that counts."""
        sends = (stop.step.send for stop in self._stops[number:])
        return next((send.to for send in sends if send), None)

    def _lay_out(self, steps: tuple[Step, ...], end: int) -> None:
        for place, step in enumerate(steps):
            number = len(self._stops)
            after = end if place == len(steps) - 1 else number + _size(step)
            if step.branch:
                self._fork(number, step, step.branch, after)
            else:
                after = self._end if step.exit else after
                self._stops.append(PlannedStep(number, step, after, after))

    def _fork(self, number: int, step: Step, branch: BranchStep, after: int) -> None:
        first = number + 1
        second = first + sum(map(_size, branch.then))
        ways = (first if branch.then else after, second if branch.otherwise else after)
        self._stops.append(PlannedStep(number, step, *ways))
        self._lay_out(branch.then, after)
        self._lay_out(branch.otherwise, after)


def advance(standing: JourneyPosition, stop: PlannedStep, *, holds: bool = True) -> JourneyPosition:
    """Past a step that waits for nothing; `holds` is what became of a branch's condition."""
    return replace(standing, number=stop.next if holds else stop.otherwise)


def start_waiting(
    standing: JourneyPosition, wait: WaitStep, now: datetime, zone: str
) -> JourneyPosition:
    """At a step that waits; `zone` is the customer's."""
    wake_at = _local(wait.until, now, zone) if wait.until else now + wait.longest
    happened = standing.happened and wait.event is None
    return replace(standing, wake_at=wake_at, awaits=wait.event, happened=happened)


def wake_up(standing: JourneyPosition, stop: PlannedStep, now: datetime) -> JourneyPosition:
    """Past the wait where its time or its event has come; elsewhere it goes on waiting."""
    come = standing.awaits is not None and standing.happened
    if standing.wake_at is None or (now < standing.wake_at and not come):
        return standing
    return JourneyPosition(stop.next, happened=standing.happened)


def _size(step: Step) -> int:
    inner = step.branch.then + step.branch.otherwise if step.branch else ()
    return 1 + sum(map(_size, inner))


def _local(wanted: time, now: datetime, zone: str) -> datetime:
    """The next moment at which clocks in the zone show the time; one that they skip comes as much later."""
    today = now.astimezone(ZoneInfo(zone)).date()
    days = (today + timedelta(days=more) for more in range(3))
    moments = (datetime.combine(day, wanted, ZoneInfo(zone)).astimezone(UTC) for day in days)
    return next(moment for moment in moments if moment >= now)
