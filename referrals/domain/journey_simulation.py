"""A rehearsal of journeys in skipped time: what they would do about some events, with no server and no database.

Consent, quiet hours and caps are the channels' affair, and not rehearsed.
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
from referrals.domain.journeys import (
    WITHOUT_FRIEND,
    GrantStep,
    Journey,
    ReentryDelay,
    SendStep,
    WaitStep,
)
from referrals.domain.rules import VARIABLES, Condition, RuleContext, RuleError


@dataclass(frozen=True)
class SimulatedEvent:
    """An event with what it tells, by the variables of conditions."""

    type: str
    at: datetime
    about: RuleContext

    @property
    def friend(self) -> str:
        """Empty where it is about the advocate alone."""
        about = self.about.get("friend", {})
        return "" if self.type in WITHOUT_FRIEND else str(about.get("id", ""))


@dataclass(frozen=True)
class SimulatedAction:
    """One line of the rehearsal: when, which journey for whom, the number of its step, and what it does."""

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
    began_by: SimulatedEvent
    standing: JourneyPosition = field(default_factory=JourneyPosition)
    over: bool = False

    @property
    def plan(self) -> JourneyPlan:
        return JourneyPlan(self.journey)


@dataclass
class JourneySimulation:
    """The journeys of a campaign, and what they have done so far."""

    campaign: Campaign
    journeys: Iterable[Journey]
    deeds: list[SimulatedAction] = field(default_factory=list)
    _runs: list[_Run] = field(default_factory=list)
    _entries: dict[tuple[str, str], datetime] = field(default_factory=dict)
    _facts: list[SimulatedEvent] = field(default_factory=list)
    _known: defaultdict[str, dict[str, Any]] = field(default_factory=lambda: defaultdict(dict))

    def happen(self, fact: SimulatedEvent) -> None:
        """Let time pass until the event, then the event happen. An exit that comes with a wake-up comes first."""
        self.pass_time(fact.at)
        self._facts.append(fact)
        self._known[fact.friend] |= fact.about
        for run in self._runs:
            others = run.friend and fact.friend and run.friend != fact.friend
            if not run.over and not others:
                self._hear(run, fact)
        for journey in self.journeys:
            if journey.on == fact.type:
                self._enter(_Run(journey, fact.friend, fact))

    def pass_time(self, until: datetime | None = None) -> None:
        """Play what is due before `until`; without it, all that is left."""
        while run := min(self._waiting(), key=_wake_at, default=None):
            at = _wake_at(run)
            if until and at >= until:
                return
            self._wake(run, at)

    def _waiting(self) -> list[_Run]:
        return [run for run in self._runs if not run.over]

    def _hear(self, run: _Run, fact: SimulatedEvent) -> None:
        if fact.type in (run.journey.exit_on or ()):
            run.over = True
            self._note(run, fact.at, None, f"exits by {fact.type}")
        elif run.standing.awaits == fact.type:
            run.standing = replace(run.standing, happened=True)
            self._wake(run, fact.at)

    def _enter(self, run: _Run) -> None:
        journey, at = run.journey, run.began_by.at
        condition = journey.condition
        holds, why = self._ask(run, condition) if condition else (True, "")
        if not holds:
            self._note(run, at, None, f"does not begin: {journey.when}{why}")
        elif not self._may_enter(run):
            self._note(run, at, None, "does not begin: it may not be entered again yet")
        else:
            self._note(run, at, None, f"begins with {run.began_by.type}")
            self._runs.append(run)
            self._go_on(run, at)

    def _may_enter(self, run: _Run) -> bool:
        key, at = (run.journey.name, run.friend), run.began_by.at
        last, reentry = self._entries.get(key), run.journey.reentry
        barred = last and (
            reentry == "never" or (isinstance(reentry, ReentryDelay) and at < last + reentry.after)
        )
        if not barred:
            self._entries[key] = at
        return not barred

    def _wake(self, run: _Run, at: datetime) -> None:
        stop = run.plan.at(run.standing)
        assert stop
        awaited = run.standing.awaits
        run.standing = wake_up(run.standing, stop, at)
        if awaited:
            came = f"{awaited} came" if run.standing.happened else f"{awaited} did not come"
            self._note(run, at, stop.number, came)
        self._go_on(run, at)

    def _go_on(self, run: _Run, at: datetime) -> None:
        while stop := run.plan.at(run.standing):
            if stop.step.wait:
                self._wait(run, stop, stop.step.wait, at)
                return
            run.standing = advance(run.standing, stop, holds=self._take(run, stop, at))
        run.over = True
        self._note(run, at, None, "is done")

    def _wait(self, run: _Run, stop: PlannedStep, wait: WaitStep, at: datetime) -> None:
        recipient = self._context(run).get(run.plan.recipient_after(stop.number) or "", {})
        zone = recipient.get("timezone") or self.campaign.timezone
        run.standing = start_waiting(run.standing, wait, at, zone)
        what = f"waits for {wait.event}, at most until" if wait.event else "waits until"
        self._note(run, at, stop.number, f"{what} {_wake_at(run):%Y-%m-%d %H:%M} UTC")

    def _take(self, run: _Run, stop: PlannedStep, at: datetime) -> bool:
        step = stop.step
        if step.branch:
            holds, why = self._ask(run, step.branch.condition)
            way = "then" if holds else "else"
            self._note(run, at, stop.number, f"takes {way}: {step.branch.when}{why}")
            return holds
        if step.send:
            self._send(run, stop, step.send, at)
        if step.grant:
            self._grant(run, stop, step.grant, at)
        if step.webhook:
            self._note(run, at, stop.number, f"posts to {step.webhook.url}")
        if step.start_workflow:
            start = step.start_workflow
            self._note(run, at, stop.number, f"starts {start.type} on {start.task_queue}")
        if step.exit:
            self._note(run, at, stop.number, "exits")
        return True

    def _send(self, run: _Run, stop: PlannedStep, send: SendStep, at: datetime) -> None:
        owner = run.began_by.about.get("reward", {}).get("side", send.to)
        if send.to in (owner, "operator"):  # a reward is its owner's news, and the operator's
            does = f"sends {send.template}"
            self._note(run, at, stop.number, does, to=send.to, channels=send.channels)

    def _grant(self, run: _Run, stop: PlannedStep, grant: GrantStep, at: datetime) -> None:
        """Of a conversion under hold it is due when the hold is over."""
        reward, hold = grant.reward, self.campaign.conversion.hold
        if lost := self._lost(run):
            self._note(run, at, stop.number, f"grants nothing: {lost}")
            return
        due_at = run.began_by.at + hold if hold and not self._of_milestone(run) else at
        due = f", due {due_at:%Y-%m-%d %H:%M} UTC" if due_at > at else ""
        does = f"grants {reward.amount} {reward.currency or reward.type}{due}"
        self._note(run, at, stop.number, does, to=grant.to)

    def _lost(self, run: _Run) -> str:
        """The event by which the run's referral or milestone was lost; empty where there was none."""
        loss = "milestone_lost" if self._of_milestone(run) else "referral_rolled_back"
        began = self._facts.index(run.began_by)
        mine = run.began_by.about.get("milestone")
        lost = any(
            (fact.type, fact.friend, fact.about.get("milestone")) == (loss, run.friend, mine)
            for fact in self._facts[began:]
        )
        return loss if lost else ""

    def _of_milestone(self, run: _Run) -> bool:
        return run.journey.on in WITHOUT_FRIEND

    def _ask(self, run: _Run, condition: Condition) -> tuple[bool, str]:
        awaited = {"awaited": {"happened": run.standing.happened}}
        try:
            return condition.holds({**self._context(run), **awaited}), ""
        except RuleError as error:
            return False, f" (cannot be answered: {error})"

    def _context(self, run: _Run) -> dict[str, Mapping[str, Any]]:
        """As is known by then, of this friend and of the advocate."""
        campaign = {"campaign": {"id": self.campaign.campaign}}
        return campaign | self._known[""] | self._known[run.friend]

    def _note(self, run: _Run, at: datetime, step: int | None, does: str, **more: Any) -> None:
        self.deeds.append(SimulatedAction(at, run.journey.name, run.friend, step, does, **more))


def parse_simulated_event(event: Mapping[str, Any], now: datetime) -> SimulatedEvent:
    """A CloudEvent's; its `data` may name any variable of conditions. Raises ValueError that says what is wrong."""
    data, kind, time = event.get("data", {}), event.get("type"), event.get("time")
    if not isinstance(kind, str) or not isinstance(data, Mapping):
        raise ValueError("must have a type, and data that is an object")  # noqa: TRY004
    at = datetime.fromisoformat(time) if isinstance(time, str) else now
    if at.tzinfo is None or not isinstance(time, str | None):
        raise ValueError("must have a time with its offset, such as 2026-03-04T10:00:00Z")
    about: dict[str, Any] = {
        name: data[name] for name in VARIABLES if isinstance(data.get(name), Mapping)
    }
    rest = {key: value for key, value in data.items() if key not in VARIABLES}
    if "order" in about:
        about["order"] = _numbers(about["order"])
    return SimulatedEvent(kind, at, about | {"event": rest | {"type": kind}})


def _numbers(order: Mapping[str, Any]) -> dict[str, Any]:
    """Amounts as conditions see them: numbers."""
    return {key: float(value) if key == "amount" else value for key, value in order.items()}


def _wake_at(run: _Run) -> datetime:
    assert run.standing.wake_at
    return run.standing.wake_at
