"""`referrals campaign test`: play a whole programme in skipped time, without a server."""

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from entrypoints.cli.campaign import describe_field_error, load_valid_campaign
from entrypoints.cli.client import load_settings
from entrypoints.cli.errors import CommandError
from entrypoints.cli.files import STDIN, InputFile, display_name, read_text
from entrypoints.cli.options import JsonOutput
from entrypoints.cli.output import JsonObject, print_json, print_line, print_table
from referrals.errors import FieldError

if TYPE_CHECKING:
    from referrals.domain.campaign import Campaign
    from referrals.settings import Settings
    from simulation.player import Performance
    from simulation.story_file import Story
    from simulation.timeline import Entry

EVENTS_SUFFIX = ".events.yaml"

EventFile = Annotated[
    Path | None,
    typer.Option(
        "--event",
        metavar="FILE",
        help="Events and expectations; by default NAME.events.yaml beside NAME.yaml, else a standard story.",
    ),
]
COLUMNS = {"day": "Day", "at": "Time", "who": "Who", "what": "What", "details": "Details"}


def play(file: InputFile, event: EventFile = None, as_json: JsonOutput = False) -> None:
    """Play a campaign FILE in skipped time and print what happens: decisions, rewards, messages and journeys.

    Runs the engine on a temporary database; needs no server and sends nothing. Exit code 1 if an expectation of the events fails, or if they never start one of the journeys.
    """
    text, settings = read_text(file), load_settings()
    campaign = load_valid_campaign(text, file)
    _check_templates(text, file, campaign, settings)
    event = event or _events_beside(file)
    performance = asyncio.run(_play(campaign, _load_story(event, campaign), settings))
    idle = list(_idle_journeys(performance, campaign))
    if as_json:
        print_json(_as_json(performance, campaign, idle))
    else:
        _print(performance, campaign, idle, event)
    if event:  # a standard story cannot start every journey
        _report(performance, idle, event, file, text)


def _report(
    performance: "Performance", idle: Sequence[FieldError], event: Path, file: Path, text: str
) -> None:
    """Raise CommandError if an expectation failed or a journey has never started."""
    from referrals.yaml_lines import add_lines

    failures = list(performance.failures())
    details = [describe_field_error(event, failure) for failure in failures]
    details += [describe_field_error(file, error) for error in add_lines(idle, text)]
    if details:
        count = f"{len(failures)} of {len(performance.checks)} expectations failed"
        journeys = f"{len(idle)} journeys never started"
        summary = " and ".join([count] * bool(failures) + [journeys] * bool(idle))
        raise CommandError(f"{summary}.", details)


def _events_beside(file: Path) -> Path | None:
    events = file.with_name(file.name.removesuffix(file.suffix) + EVENTS_SUFFIX)
    return events if file != STDIN and events.exists() else None


def _check_templates(text: str, file: Path, campaign: "Campaign", settings: "Settings") -> None:
    from entrypoints.api.campaign_checks import template_errors
    from referrals.channels.templates import Templates
    from referrals.yaml_lines import add_lines

    errors = add_lines([*template_errors(campaign, Templates(settings.templates_dir))], text)
    if details := [describe_field_error(file, error) for error in errors]:
        raise CommandError(f"{display_name(file)} has messages without a valid template.", details)


def _load_story(event: Path | None, campaign: "Campaign") -> "Story":
    from simulation.standard_story import standard_story
    from simulation.story_file import StoryError, load_story

    if event is None:
        return standard_story(campaign)
    try:
        return load_story(read_text(event), campaign)
    except StoryError as error:
        details = [describe_field_error(event, each) for each in error.errors]
        message = f"{display_name(event)} is not a valid story of {campaign.campaign}."
        raise CommandError(message, details) from error


async def _play(campaign: "Campaign", story: "Story", settings: "Settings") -> "Performance":
    from simulation.engine import open_simulation
    from simulation.player import play_story

    async with open_simulation(settings, story.start) as engine:
        return await play_story(engine, campaign, story)


def _idle_journeys(performance: "Performance", campaign: "Campaign") -> Iterator[FieldError]:
    """Yield an error for each journey that has never started although nobody expected that."""
    expected = {name for step in performance.story.steps for name in step.expected.journeys}
    for index, journey in enumerate(campaign.journeys):
        if performance.started[journey.name] or journey.name in expected:
            continue
        condition = f" when {journey.when}" if journey.when else ""
        message = (
            f"{journey.name} never starts; it starts on {journey.on}{condition}. Add an event that "
            f"leads to it, or expect journeys: {{{journey.name}: 0}}"
        )
        yield FieldError(f"journeys[{index}].name", message)


def _as_json(
    performance: "Performance", campaign: "Campaign", idle: Sequence[FieldError]
) -> JsonObject:
    start = performance.story.start
    return {
        "campaign": campaign.campaign,
        "start": start.isoformat(),
        "timeline": [
            asdict(entry) | {"at": entry.at.isoformat(), "day": (entry.at - start).days}
            for entry in performance.timeline
        ],
        "checks": [
            asdict(check) | {"step": index + 1, "path": list(check.path)}
            for index, check in performance.checks
        ],
        "idle_journeys": [error.message for error in idle],
    }


def _print(
    performance: "Performance",
    campaign: "Campaign",
    idle: Sequence[FieldError],
    event: Path | None,
) -> None:
    story = f"the events of {display_name(event)}" if event else "a standard story"
    print_line(f"{campaign.name}: {story}, in the time zone {campaign.timezone}", "bold")
    print_table([_row(entry, performance, campaign) for entry in performance.timeline], COLUMNS)
    if event is None:
        for error in idle:
            print_line(error.message)
        print_line(
            "Write events of your own, with what you expect of them: see docs/trying-out.md."
        )
    elif performance.checks and not any(performance.failures()) and not idle:
        print_line(f"All {len(performance.checks)} expectations hold.", "bold green")


def _row(entry: "Entry", performance: "Performance", campaign: "Campaign") -> JsonObject:
    at = entry.at.astimezone(campaign.zone)
    prefix = {"story": "> ", "activity": "", "journey": "journey "}[entry.kind]
    return asdict(entry) | {
        "day": (entry.at - performance.story.start).days,
        "at": f"{at:%Y-%m-%d %H:%M}",
        "what": f"{prefix}{entry.what}",
    }
