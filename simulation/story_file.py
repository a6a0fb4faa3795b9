"""Loader of story files: a list of steps in YAML 1.2 or JSON, checked against the campaign that they are for."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, time
from typing import Any

from referrals.domain.campaign import Campaign
from referrals.domain.event_names import INBOUND, OUTBOUND
from referrals.domain.events import parse_event
from referrals.domain.lenient_parsing import FieldWarning
from referrals.domain.requests import parse_publication
from referrals.domain.suggestions import did_you_mean
from referrals.errors import InvalidInputError
from referrals.store.flow.receiving import REDEMPTION
from referrals.yaml_documents import YamlDocument
from referrals.yaml_nodes import Path
from simulation.story import COMMANDS, Expectation, Step, absolute, advocate_of

FIRST_TIME = time(10)
"""Time of day at which a story starts that does not say when."""


class StoryError(InvalidInputError):
    """Story that is not valid, or not for this campaign."""


@dataclass(frozen=True)
class Story:
    """Steps in the order of their times, with the document that they come from."""

    steps: tuple[Step, ...]
    start: datetime
    document: YamlDocument

    def timed(self) -> Iterator[tuple[int, datetime, Step]]:
        """Yield each step with its index and its time."""
        at = self.start
        for index, step in enumerate(self.steps):
            at = step.time_in_story(self.start, at)
            yield index, at, step


def load_story(text: str, campaign: Campaign) -> Story:
    """Load a story from the text of its file.

    Raises:
        StoryError: the file is not a story, or names what neither the engine nor the campaign knows.
    """
    document = YamlDocument.parse(text, StoryError)
    return create_story(document.validate(tuple[Step, ...], StoryError), campaign, document)


def create_story(steps: tuple[Step, ...], campaign: Campaign, document: YamlDocument) -> Story:
    """Put steps together to a story. Raises StoryError like `load_story`."""
    story = Story(steps, _start(steps, campaign), document)
    if errors := [document.error(path, message) for path, message in _problems(story, campaign)]:
        raise StoryError(errors)
    return story


def _start(steps: tuple[Step, ...], campaign: Campaign) -> datetime:
    """Return the time of the first step if it is absolute, else the campaign's start, else 10:00 today."""
    if steps and isinstance(steps[0].at, datetime):
        return steps[0].at.astimezone(UTC)
    today = datetime.now(campaign.zone).date()
    return (campaign.starts_at or datetime.combine(today, FIRST_TIME, campaign.zone)).astimezone(
        UTC
    )


def _problems(story: Story, campaign: Campaign) -> Iterator[tuple[Path, str]]:
    """Yield what is wrong with the story, by its place."""
    if not story.steps:
        yield (), "must have at least one step"
    before = story.start
    for index, at, step in story.timed():
        if at < before:
            yield (index, "at"), "must not be earlier than the step before"
        before = max(at, before)
        if step.command and step.command not in COMMANDS:
            hint = did_you_mean(step.command, COMMANDS)
            yield (index, "command"), f"must be one of {', '.join(COMMANDS)}{hint}"
        if step.publish is not None:
            yield from _body_problems((index, "publish"), parse_publication, step.publish)
        if step.type:
            yield from _event_problems(index, step, story.start, campaign)
        yield from _unknown_names(index, step, campaign)


def _event_problems(
    index: int, step: Step, start: datetime, campaign: Campaign
) -> Iterator[tuple[Path, str]]:
    conversion = campaign.conversion.event
    known = {*INBOUND, conversion}
    if step.type == REDEMPTION and conversion not in ("redemption", REDEMPTION):
        yield (index, "type"), f"the campaign converts on {conversion}"
    elif step.type in known:
        event = event_of(step, f"step-{index}", start, lambda _: "CODE")
        yield from _body_problems((index,), parse_event, event)
    elif step.type in OUTBOUND:
        yield (index, "type"), f"the engine publishes {step.type} itself; it takes no such event"
    else:
        hint = did_you_mean(str(step.type), known)
        yield (index, "type"), f"unknown event type; the campaign converts on {conversion}{hint}"


def _body_problems(
    path: Path, parse: Callable[[Any], Any], body: Any
) -> Iterator[tuple[Path, str]]:
    try:
        parsed = parse(body)
    except InvalidInputError as error:
        found = [(item.field, item.message) for item in error.errors]
    else:
        warnings: list[FieldWarning] = parsed[1] if isinstance(parsed, tuple) else parsed.warnings
        found = [(each.field, each.message) for each in warnings if "; left out" in each.message]
    for field, message in found:
        yield (*path, *_keys(field)), message


def _keys(field: str) -> Iterator[int | str]:
    """Split `data.order.items[0].sku` into the keys of a path."""
    for part in field.replace("[", ".").replace("]", "").split("."):
        yield int(part) if part.isdecimal() else part


def _unknown_names(index: int, step: Step, campaign: Campaign) -> Iterator[tuple[Path, str]]:
    """Yield each name in the expectation that the campaign does not have."""
    steps = [found for journey in campaign.journeys for _, found in journey.walk()]
    known = {
        "journey": {journey.name for journey in campaign.journeys},
        "tier": {tier.name for tier in campaign.rewards.tiers},
        "message": {found.send.template for found in steps if found.send},
    }
    for kind, path, name in _expected_names(step.expected):
        if name not in known[kind]:
            hint = did_you_mean(name, known[kind])
            yield (index, "expect", *path), f"the campaign has no {kind} {name}{hint}"


def _expected_names(expected: Expectation) -> Iterator[tuple[str, Path, str]]:
    """Yield what each expected name is the name of, its place, and the name."""
    for name in expected.journeys:
        yield "journey", ("journeys", name), name
    for person, tiers in expected.milestones.items():
        for number, name in enumerate(tiers):
            yield "tier", ("milestones", person, number), name
    for person, rewards in expected.rewards.items():
        for number, reward in enumerate(rewards):
            if reward.tier:
                yield "tier", ("rewards", person, number, "tier"), reward.tier
    for person, messages in expected.messages.items():
        for number, message in enumerate(messages):
            if message.template:
                yield "message", ("messages", person, number, "template"), message.template


def event_of(
    step: Step, event_id: str, start: datetime, code_of: Callable[[str], str]
) -> dict[str, Any]:
    """Return the CloudEvent of a step. `code_of` gives the code that is written as that of an advocate."""
    data = step.data or {}
    if advocate := advocate_of(data.get("code")):
        data = data | {"code": code_of(advocate)}
    event: dict[str, Any] = {"specversion": step.specversion, "id": step.id or event_id}
    if step.time is not None:
        event["time"] = absolute(step.time, start).isoformat()
    return event | {"source": step.source, "type": step.type, "data": data}
