"""Simulation of journeys in skipped time: their reaction to a list of events, without a server or a database.

Consent, quiet hours and frequency caps are not simulated.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from referrals.domain.campaign import Campaign
from referrals.domain.journey_interpreter import (
    JourneyPlan,
    JourneyPosition,
    PlannedStep,
    advance,
    start_waiting,
    wake_up,
)
from referrals.domain.journey_steps import GrantStep, SendStep, WaitStep
from referrals.domain.journeys import WITHOUT_FRIEND, Journey, ReentryDelay
from referrals.domain.rule_variables import VARIABLES, with_numbers
from referrals.domain.rules import Condition, RuleContext
from referrals.errors import RuleError


@dataclass(frozen=True)
class SimulatedEvent:
    """An event with its data, grouped by the variables that conditions read."""

    type: str
    at: datetime
    data: RuleContext

    @property
    def friend(self) -> str:
        """Id of the friend; empty if the event concerns the advocate alone."""
        friend = self.data.get("friend", {})
        return "" if self.type in WITHOUT_FRIEND else str(friend.get("id", ""))


@dataclass(frozen=True)
class SimulatedAction:
    """One line of the simulation: the time, the journey, the friend, the index of the step and its action."""

    at: datetime
    journey: str
    friend: str
    step: int | None
    does: str
    to: str | None = None
    channels: tuple[str, ...] = ()


@dataclass
class _Run:
    journey: Journey
    friend: str
    started_by: SimulatedEvent
    position: JourneyPosition = field(default_factory=JourneyPosition)
    is_over: bool = False

    @property
    def plan(self) -> JourneyPlan:
        return JourneyPlan(self.journey)


@dataclass
class JourneySimulation:
    """The journeys of a campaign and their actions so far."""

    campaign: Campaign
    journeys: Iterable[Journey]
    actions: list[SimulatedAction] = field(default_factory=list)
    _runs: list[_Run] = field(default_factory=list)
    _entered_at: dict[tuple[str, str], datetime] = field(default_factory=dict)
    _events: list[SimulatedEvent] = field(default_factory=list)
    _known: defaultdict[str, dict[str, Any]] = field(default_factory=lambda: defaultdict(dict))

    def handle(self, event: SimulatedEvent) -> None:
        """Let time pass until the event, then handle it.

        An event that ends a run takes precedence over a wake-up at the same time.
        """
        self.pass_time(event.at)
        self._events.append(event)
        self._known[event.friend] |= event.data
        for run in self._runs:
            of_another_friend = run.friend and event.friend and run.friend != event.friend
            if not run.is_over and not of_another_friend:
                self._notify(run, event)
        for journey in self.journeys:
            if journey.on == event.type:
                self._enter(_Run(journey, event.friend, event))

    def pass_time(self, until: datetime | None = None) -> None:
        """Run the steps that are due before `until`, or all remaining steps without it."""
        while run := min(self._open_runs(), key=_wake_at, default=None):
            at = _wake_at(run)
            if until and at >= until:
                return
            self._wake(run, at)

    def _open_runs(self) -> list[_Run]:
        return [run for run in self._runs if not run.is_over]

    def _notify(self, run: _Run, event: SimulatedEvent) -> None:
        if event.type in (run.journey.exit_on or ()):
            run.is_over = True
            self._record(run, event.at, None, f"exits by {event.type}")
        elif run.position.awaited_event == event.type:
            run.position = replace(run.position, awaited_event_received=True)
            self._wake(run, event.at)

    def _enter(self, run: _Run) -> None:
        journey, at = run.journey, run.started_by.at
        condition = journey.condition
        holds, error = self._evaluate(run, condition) if condition else (True, "")
        if not holds:
            self._record(run, at, None, f"does not start: {journey.when}{error}")
        elif not self._may_enter(run):
            self._record(run, at, None, "does not start: it may not be entered again yet")
        else:
            self._record(run, at, None, f"starts with {run.started_by.type}")
            self._runs.append(run)
            self._run_steps(run, at)

    def _may_enter(self, run: _Run) -> bool:
        key, at = (run.journey.name, run.friend), run.started_by.at
        last, reentry = self._entered_at.get(key), run.journey.reentry
        barred = last and (
            reentry == "never" or (isinstance(reentry, ReentryDelay) and at < last + reentry.after)
        )
        if not barred:
            self._entered_at[key] = at
        return not barred

    def _wake(self, run: _Run, at: datetime) -> None:
        planned = run.plan.step_at(run.position)
        assert planned
        awaited = run.position.awaited_event
        run.position = wake_up(run.position, planned, at)
        if awaited:
            outcome = "arrived" if run.position.awaited_event_received else "did not arrive"
            self._record(run, at, planned.index, f"{awaited} {outcome}")
        self._run_steps(run, at)

    def _run_steps(self, run: _Run, at: datetime) -> None:
        while planned := run.plan.step_at(run.position):
            if planned.step.wait:
                self._wait(run, planned, planned.step.wait, at)
                return
            run.position = advance(run.position, planned, holds=self._run_step(run, planned, at))
        run.is_over = True
        self._record(run, at, None, "is done")

    def _wait(self, run: _Run, planned: PlannedStep, wait: WaitStep, at: datetime) -> None:
        recipient = self._context(run).get(run.plan.next_recipient(planned.index) or "", {})
        zone = recipient.get("timezone") or self.campaign.timezone
        run.position = start_waiting(run.position, wait, at, zone)
        waits = f"waits for {wait.event}, at most until" if wait.event else "waits until"
        self._record(run, at, planned.index, f"{waits} {_wake_at(run):%Y-%m-%d %H:%M} UTC")

    def _run_step(self, run: _Run, planned: PlannedStep, at: datetime) -> bool:
        step = planned.step
        if step.branch:
            holds, error = self._evaluate(run, step.branch.condition)
            branch = "then" if holds else "else"
            self._record(run, at, planned.index, f"takes {branch}: {step.branch.when}{error}")
            return holds
        if step.send:
            self._send(run, planned, step.send, at)
        if step.grant:
            self._grant(run, planned, step.grant, at)
        if step.track:
            does = f"tracks {step.track.event} at {step.track.provider}"
            if values := step.track.values(self._context(run)):
                does += f" with {', '.join(f'{name}={values[name]}' for name in values)}"
            self._record(run, at, planned.index, does, to=step.track.to)
        if step.webhook:
            self._record(run, at, planned.index, f"posts to {step.webhook.url}")
        if step.start_workflow:
            start = step.start_workflow
            self._record(run, at, planned.index, f"starts {start.type} on {start.task_queue}")
        if step.exit:
            self._record(run, at, planned.index, "exits")
        return True

    def _send(self, run: _Run, planned: PlannedStep, send: SendStep, at: datetime) -> None:
        """Send to the owner of the reward that the event concerns, and to the operator; skip other recipients."""
        owner = run.started_by.data.get("reward", {}).get("side", send.to)
        if send.to in (owner, "operator"):
            does = f"sends {send.template}"
            self._record(run, at, planned.index, does, to=send.to, channels=send.channels)

    def _grant(self, run: _Run, planned: PlannedStep, grant: GrantStep, at: datetime) -> None:
        """Grant the reward; if the conversion is on hold, the reward is due when the hold ends."""
        reward, hold = grant.reward, self.campaign.conversion.hold
        if loss := self._loss_event(run):
            self._record(run, at, planned.index, f"grants nothing: {loss}")
            return
        due_at = run.started_by.at + hold if hold and not _concerns_milestone(run) else at
        due = f", due {due_at:%Y-%m-%d %H:%M} UTC" if due_at > at else ""
        does = f"grants {reward.amount} {reward.currency or reward.type}{due}"
        self._record(run, at, planned.index, does, to=grant.to)

    def _loss_event(self, run: _Run) -> str:
        """Return the name of the event that lost the run's referral or milestone; empty if there was none."""
        loss = "milestone_lost" if _concerns_milestone(run) else "referral_rolled_back"
        started = self._events.index(run.started_by)
        milestone = run.started_by.data.get("milestone")
        lost = any(
            (event.type, event.friend, event.data.get("milestone")) == (loss, run.friend, milestone)
            for event in self._events[started:]
        )
        return loss if lost else ""

    def _evaluate(self, run: _Run, condition: Condition) -> tuple[bool, str]:
        awaited = {"awaited": {"happened": run.position.awaited_event_received}}
        try:
            return condition.holds({**self._context(run), **awaited}), ""
        except RuleError as error:
            return False, f" (cannot be evaluated: {error})"

    def _context(self, run: _Run) -> dict[str, Mapping[str, Any]]:
        """Return the data known so far about this friend and the advocate."""
        campaign = {"campaign": {"id": self.campaign.campaign}}
        return campaign | self._known[""] | self._known[run.friend]

    def _record(self, run: _Run, at: datetime, step: int | None, does: str, **more: Any) -> None:
        self.actions.append(SimulatedAction(at, run.journey.name, run.friend, step, does, **more))


def parse_simulated_event(event: Mapping[str, Any], now: datetime) -> SimulatedEvent:
    """Parse a CloudEvent whose `data` may contain any variable of conditions.

    Raises:
        ValueError: the type, the data or the time is missing or malformed.
    """
    data, kind, time = event.get("data", {}), event.get("type"), event.get("time")
    if not isinstance(kind, str) or not isinstance(data, Mapping):
        raise ValueError("must have a type, and data that is an object")  # noqa: TRY004
    at = datetime.fromisoformat(time) if isinstance(time, str) else now
    if at.tzinfo is None or not isinstance(time, str | None):
        raise ValueError("must have a time with its offset, such as 2026-03-04T10:00:00Z")
    variables: dict[str, Any] = {
        name: data[name] for name in VARIABLES["journey"] if isinstance(data.get(name), Mapping)
    }
    other_fields = {key: value for key, value in data.items() if key not in VARIABLES["journey"]}
    if "order" in variables:
        variables["order"] = with_numbers(variables["order"])
    return SimulatedEvent(kind, at, variables | {"event": other_fields | {"type": kind}})


def _concerns_milestone(run: _Run) -> bool:
    return run.journey.on in WITHOUT_FRIEND


def _wake_at(run: _Run) -> datetime:
    assert run.position.wake_at
    return run.position.wake_at
