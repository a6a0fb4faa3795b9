"""Play a story twice, in a simulation and on a world with Temporal's time-skipping server, and describe both for comparison."""

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from referrals.domain.campaign import Campaign
from referrals.store import schema
from simulation.engine import SimulatedEngine, open_simulation
from simulation.player import Performance, play_story
from simulation.state import ProgrammeState, read_balances, read_state
from simulation.story_file import Story
from simulation.timeline import Entry
from tests.harness.world import World

MARGIN = timedelta(seconds=90)
"""Time by which the world goes beyond an instant: its own events are late by as long as they take."""
TOLERANCE = timedelta(minutes=3)
"""Difference between two times that count as the same."""

_TIME = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d(?= UTC)")
_CODE = re.compile(r"\b[A-Z0-9]{3,}(-[A-Z0-9]{3,})+\b")

Moments = dict[str, list[datetime]]
"""Times of equal things, by their description."""


@dataclass(frozen=True)
class Played:
    """Everything that a story led to, without ids: what happened and when, and the state of everybody at the end."""

    happened: Moments
    balances: Mapping[str, Mapping[str, str]]
    failures: Sequence[str]

    def differences(self, other: "Played") -> list[str]:
        """Describe each difference; times differ if they are further apart than the tolerance."""
        found = [f"{self.balances} {other.balances}"] * (self.balances != other.balances)
        found += [f"{self.failures} {other.failures}"] * (self.failures != other.failures)
        for what in sorted(self.happened.keys() | other.happened.keys()):
            mine, others = sorted(self.happened.get(what, [])), sorted(other.happened.get(what, []))
            near = all(abs(a - b) <= TOLERANCE for a, b in zip(mine, others, strict=False))
            if len(mine) != len(others) or not near:
                found.append(f"{what}: {_listed(mine)} | {_listed(others)}")
        return found


def _listed(times: Sequence[datetime]) -> str:
    return ", ".join(f"{at:%d %H:%M:%S}" for at in times) or "never"


class StoryWorld:
    """A world as an engine for stories: it stops at the instants at which something happens in the simulation."""

    def __init__(self, world: World, simulated: Performance, ended_at: datetime) -> None:
        self.store, self.inbox, self.now = world.store, world.inbox, world.now
        self._world = world
        # At its end a simulation may do what no entry tells of, such as confirming a referral.
        self._instants = sorted({*(entry.at for entry in simulated.timeline), ended_at})

    async def advance(self, until: datetime) -> None:
        while self._instants and self._instants[0] + MARGIN <= until:
            await self._sleep_until(self._instants.pop(0) + MARGIN)
            await self._world.until(self._is_idle)
        await self._sleep_until(until)
        await self._world.until(self._is_idle)

    async def finish(self) -> None:
        for instant in self._instants:
            await self._sleep_until(instant + MARGIN)
            await self._world.until(self._is_idle)

    async def _sleep_until(self, time: datetime) -> None:
        if (step := time - self.now()) > timedelta(0):
            await self._world.sleep(seconds=step.total_seconds())

    async def _is_idle(self) -> bool:
        """Return whether no workflow has anything to do now."""
        now = self.now()
        world = self._world
        messages = [
            row
            for row in await world.all(schema.messages, state="pending")
            if row.not_before is None or row.not_before <= now - MARGIN
        ]
        runs = [
            row
            for row in await world.all(schema.journey_runs)
            if row.notifier_workflow_id or row.state == "starting"
        ]
        under_way = [
            row
            for row in await world.all(schema.rewards)
            if row.state in ("granting", "rolling_back")
        ]
        tracked = await world.all(schema.tracked_events, state="pending")
        return not (messages or runs or under_way or tracked) and await self._milestones_are_done()

    async def _milestones_are_done(self) -> bool:
        states = {row.id: row.state for row in await self._world.all(schema.milestones)}
        behind = {"reached": ("pending",), "lost": ("pending", "granted")}
        return not any(
            reward.state in behind[states[reward.milestone_id]]
            for reward in await self._world.all(schema.rewards)
            if reward.milestone_id and reward.approval != "awaited"
        )


async def play_twice(campaign: Campaign, story: Story, world: World) -> tuple[Played, Played]:
    """Play a story in a simulation with the settings of a world, and then on the world."""
    async with open_simulation(world.resources.settings, story.start) as engine:
        performance = await play_story(engine, campaign, story)
        simulated = await describe(engine, campaign, performance)
        real_engine = StoryWorld(world, performance, ended_at=engine.now())
    real = await play_story(real_engine, campaign, story)
    return simulated, await describe(world, campaign, real)


async def describe(
    engine: World | SimulatedEngine, campaign: Campaign, performance: Performance
) -> Played:
    """Describe the timeline and the state at the end. Steps of journeys show in what they lead to."""
    state = await read_state(engine.store, campaign.campaign, engine.now())
    happened: Moments = defaultdict(list)
    for entry in performance.timeline:
        if entry.kind != "journey":
            _add(happened, _described(entry), entry.at)
    _add_state(happened, state)
    customers = {entry.who for entry in performance.timeline}
    balances = {
        customer: await read_balances(engine.store, customer) for customer in sorted(customers)
    }
    failures = [str(failure) for failure in performance.failures()]
    return Played(dict(happened), balances, failures)


def _add(happened: Moments, what: str, *times: datetime | None) -> None:
    """Add a thing with its times, and with those that its description contains."""
    for text in _TIME.findall(what):
        happened[_TIME.sub("…", what)].append(datetime.fromisoformat(f"{text}+00:00"))
    happened[_TIME.sub("…", what)] += [at for at in times if at]


def _described(entry: Entry) -> str:
    return _CODE.sub("CODE", f"{entry.kind} {entry.what} {entry.who}: {entry.details}")


def _add_state(happened: Moments, state: ProgrammeState) -> None:
    for friend, referral in state.referrals.items():
        reason = referral.reason.code if referral.reason else ""
        facts: Any = ("referral", friend, referral.advocate, referral.state, reason)
        times = (referral.converted_at, referral.confirmed_at, referral.due_at, referral.closed_at)
        _add(happened, " ".join(map(str, facts)), *times)
    for reward in state.rewards.values():
        facts = ("reward", reward.customer, reward.side, reward.tier, reward.amount, reward.type)
        facts += (reward.provider, reward.state, reward.error)
        _add(
            happened, " ".join(map(str, facts)), reward.due_at, reward.granted_at, reward.closed_at
        )
    for message in state.messages.values():
        reason = message.reason.code if message.reason else ""
        facts = ("message", message.customer, message.template, message.channel, message.state)
        _add(
            happened, " ".join(map(str, (*facts, reason))), message.created_at, message.completed_at
        )
    for customer, tiers in state.milestones.items():
        _add(happened, f"{customer} has reached {', '.join(tiers)}", None)
        happened[f"{customer} has reached {', '.join(tiers)}"] += []
