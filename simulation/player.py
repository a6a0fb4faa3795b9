"""Play a story with an engine, and compare what happens with what the story expects."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

from sqlalchemy import select

from inbox.process import EventResponse
from inbox.receive import Inbox
from referrals.domain.campaign import Campaign
from referrals.errors import FieldError, ReferralsError
from referrals.store import Store
from referrals.store.campaigns import applying
from referrals.store.journeys import trace
from referrals.store.journeys.trace import TracedStep
from referrals.store.reporting import lists
from referrals.store.schema import inbox_events, rewards
from simulation.errors import SimulationError
from simulation.expectations import Check, Outcome, compare
from simulation.state import EVERYTHING, ProgrammeState, read_balances, read_state
from simulation.story import COMMANDS, Step
from simulation.story_file import Story, event_of
from simulation.timeline import Entry, Timeline, describe_response

CALLER = "shop"
OPERATOR = "operator"


class NothingToDoError(ReferralsError):
    """A step of the story that concerns nobody, such as the code of somebody who has none."""


class Engine(Protocol):
    """An engine whose time a story can move."""

    store: Store
    inbox: Inbox

    def now(self) -> datetime:
        """Return the time of the engine."""

    async def advance(self, until: datetime) -> None:
        """Move the time, and do everything that is due up to and including `until`."""

    async def finish(self) -> None:
        """Move the time until nothing is due any more."""


@dataclass
class Performance:
    """A story that was played: what happened, and the checks of its expectations by the index of the step."""

    story: Story
    timeline: list[Entry]
    started: Counter[str]
    """Number of times that each journey has started."""
    checks: list[tuple[int, Check]] = field(default_factory=list)

    def failures(self) -> Iterator[FieldError]:
        """Yield an error for each expectation that failed."""
        for index, check in self.checks:
            if not check.holds:
                message = f"expected {check.expected}, but found {check.found}"
                yield self.story.document.error((index, "expect", *check.path), message)


async def play_story(engine: Engine, campaign: Campaign, story: Story) -> Performance:
    """Apply the campaign, play the story and let the rest happen.

    Raises:
        SimulationError: the engine fails.
    """
    with trace.listen() as traced:
        player = _Player(engine, campaign, story, traced)
        return await player.play()


class _Player:
    def __init__(
        self, engine: Engine, campaign: Campaign, story: Story, traced: list[TracedStep]
    ) -> None:
        self._engine = engine
        self._campaign = campaign
        self._story = story
        self._traced = traced
        self._timeline = Timeline(engine.store, campaign.campaign, traced)
        self._performance = Performance(story, self._timeline.entries, Counter())

    async def play(self) -> Performance:
        engine = self._engine
        async with engine.store.begin() as tx:
            await applying.apply(tx, self._campaign, OPERATOR, engine.now())
        for index, at, step in self._story.timed():
            await engine.advance(at)
            await self._collect()
            await self._play_step(index, step)
        await engine.finish()
        await self._collect()
        return self._performance

    async def _play_step(self, index: int, step: Step) -> None:
        response, refusal = {}, None
        if name := step.type or step.command or (step.publish and "publish"):
            try:
                response = await self._act(index, step)
            except SimulationError:
                raise
            except ReferralsError as error:
                refusal = str(error)
            details = f"refused: {refusal}" if refusal else describe_response(response)
            entry = Entry(self._engine.now(), "story", str(name), _who(step), details)
            self._timeline.entries.append(entry)
            await self._engine.advance(self._engine.now())
        state = await self._collect()
        balances = {
            customer: await read_balances(self._engine.store, customer)
            for customer in step.expected.balances
        }
        outcome = Outcome(
            self._story.start, response, refusal, state, balances, self._performance.started
        )
        self._performance.checks += [(index, check) for check in compare(step.expected, outcome)]

    async def _collect(self) -> ProgrammeState:
        state = await self._read_state()
        await self._timeline.collect(state)
        started = Counter(step.journey for step in self._traced if step.started)
        self._performance.started = started
        return state

    async def _read_state(self) -> ProgrammeState:
        engine = self._engine
        return await read_state(engine.store, self._campaign.campaign, engine.now())

    async def _act(self, index: int, step: Step) -> dict[str, Any]:
        """Carry the step out, and return the response to it; that of the last command if there are several."""
        inbox, campaign_id = self._engine.inbox, self._campaign.campaign
        if step.publish is not None:
            return await self._response(await inbox.publish(campaign_id, step.publish, CALLER))
        if step.type is not None:
            codes = await self._codes()
            event = event_of(
                step, f"{campaign_id}-{index + 1}", self._story.start, lambda of: _code(codes, of)
            )
            return await self._response(await inbox.receive(event, CALLER))
        kind, response = COMMANDS[str(step.command)], {}
        for subject in await self._subjects(step):
            command = inbox.command_reward if kind.startswith("reward") else inbox.command_referral
            answered = await command(kind, subject, step.reason, OPERATOR)
            response = await self._response(answered)
        return response

    async def _response(self, answered: EventResponse) -> dict[str, Any]:
        if answered.is_processed:
            return answered.body
        async with self._engine.store.read() as tx:
            statement = select(inbox_events.c.error).order_by(inbox_events.c.id.desc()).limit(1)
            error = (await tx.execute(statement)).scalar_one()
        raise SimulationError(f"The event was not processed: {error}")

    async def _codes(self) -> dict[str, str]:
        """Return the code of each advocate; the first one if there are several."""
        async with self._engine.store.read() as tx:
            page = await lists.list_codes(tx, self._campaign.campaign, EVERYTHING)
        return {code.customer: code.code for code in page.data if code.customer}

    async def _subjects(self, step: Step) -> list[str]:
        """Return the ids of what the command is about: the friend's referral, or the customer's rewards that wait."""
        state = await self._read_state()
        of = str(step.of)
        if str(step.command).startswith("referral"):
            referral = state.referrals.get(of)
            found = [referral.id] if referral else []
        else:
            waiting = await self._unapproved()
            found = [reward.id for reward in state.rewards_of(of) if reward.id in waiting]
        if not found:
            raise NothingToDoError(f"There is nothing of {of} for the command {step.command}.")
        return found

    async def _unapproved(self) -> set[str]:
        statement = select(rewards.c.id).where(
            rewards.c.state == "pending", rewards.c.approved_at.is_(None)
        )
        async with self._engine.store.read() as tx:
            return {row.id for row in await tx.execute(statement)}


def _code(codes: dict[str, str], advocate: str) -> str:
    if advocate not in codes:
        raise NothingToDoError(
            f"{advocate} has no code at this time. Publish one to {advocate} before."
        )
    return codes[advocate]


def _who(step: Step) -> str:
    """Return the person or the order that the step is about."""
    body = step.data or step.publish or {}
    for key in ("friend", "customer", "order"):
        if isinstance(body.get(key), dict):
            details = body[key]
            return str(details.get("id") or details.get("email") or details.get("phone"))
    return step.of or ""
