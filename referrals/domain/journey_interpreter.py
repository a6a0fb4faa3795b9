"""The interpreter of journeys: compute the next step from a run's position. Pure, without side effects.

A journey is flattened into a list of steps in reading order, so that a position is an index. The index of a step is
part of the keys of its effects. It never changes, because a run keeps the definition that it started with.
"""

from dataclasses import dataclass, replace
from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

from referrals.domain.journey_steps import BranchStep, Step, WaitStep
from referrals.domain.journeys import Journey


@dataclass(frozen=True)
class PlannedStep:
    """One step with its index and the indexes of its successors."""

    index: int
    step: Step
    next_index: int
    else_index: int
    """Successor of a branch whose condition is false. For every other step, equal to `next_index`."""


@dataclass(frozen=True)
class JourneyPosition:
    """Position of a run: before the step `step_index`, or waiting at it until `wake_at` or `awaited_event`."""

    step_index: int = 0
    wake_at: datetime | None = None
    awaited_event: str | None = None
    awaited_event_received: bool = False
    """True if the most recent awaited event arrived before its timeout."""


class JourneyPlan:
    """A journey flattened into a list of planned steps."""

    def __init__(self, journey: Journey) -> None:
        self._steps: list[PlannedStep] = []
        self._end = sum(1 for _ in journey.walk())
        self._flatten(journey.steps, self._end)

    def step_at(self, position: JourneyPosition) -> PlannedStep | None:
        """Return the next step, or None at the end of the journey."""
        index = position.step_index
        return self._steps[index] if index < len(self._steps) else None

    def next_recipient(self, index: int) -> str | None:
        """Return the recipient of the first message at or after the step, if any.

        A wait until a time of day uses the recipient's time zone.
        """
        sends = (planned.step.send for planned in self._steps[index:])
        return next((send.to for send in sends if send), None)

    def _flatten(self, steps: tuple[Step, ...], end: int) -> None:
        for position, step in enumerate(steps):
            index = len(self._steps)
            after = end if position == len(steps) - 1 else index + _size(step)
            if step.branch:
                self._flatten_branch(index, step, step.branch, after)
            else:
                after = self._end if step.exit else after
                self._steps.append(PlannedStep(index, step, after, after))

    def _flatten_branch(self, index: int, step: Step, branch: BranchStep, after: int) -> None:
        first_then = index + 1
        first_else = first_then + sum(map(_size, branch.then))
        next_index = first_then if branch.then else after
        else_index = first_else if branch.otherwise else after
        self._steps.append(PlannedStep(index, step, next_index, else_index))
        self._flatten(branch.then, after)
        self._flatten(branch.otherwise, after)


def advance(
    position: JourneyPosition, planned: PlannedStep, *, holds: bool = True
) -> JourneyPosition:
    """Move past a step that does not wait. `holds` is the result of a branch's condition."""
    return replace(position, step_index=planned.next_index if holds else planned.else_index)


def start_waiting(
    position: JourneyPosition, wait: WaitStep, now: datetime, zone: str
) -> JourneyPosition:
    """Start to wait at the current step. `zone` is the customer's time zone."""
    wake_at = _next_local_time(wait.until, now, zone) if wait.until else now + wait.longest
    received = position.awaited_event_received and wait.event is None
    return replace(
        position, wake_at=wake_at, awaited_event=wait.event, awaited_event_received=received
    )


def wake_up(position: JourneyPosition, planned: PlannedStep, now: datetime) -> JourneyPosition:
    """Move past a wait if its time or its event has come; otherwise return the position unchanged."""
    received = position.awaited_event is not None and position.awaited_event_received
    if position.wake_at is None or (now < position.wake_at and not received):
        return position
    return JourneyPosition(
        planned.next_index, awaited_event_received=position.awaited_event_received
    )


def _size(step: Step) -> int:
    inner = step.branch.then + step.branch.otherwise if step.branch else ()
    return 1 + sum(map(_size, inner))


def _next_local_time(time_of_day: time, now: datetime, zone: str) -> datetime:
    """Return the next moment at which clocks in the zone show the time of day.

    A time that a daylight-saving change skips is postponed by the length of the change.
    """
    today = now.astimezone(ZoneInfo(zone)).date()
    days = (today + timedelta(days=offset) for offset in range(3))
    moments = (datetime.combine(day, time_of_day, ZoneInfo(zone)).astimezone(UTC) for day in days)
    return next(moment for moment in moments if moment >= now)
