"""`referrals journey test`: what a campaign's journeys would do, played in skipped time, with no server."""

from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from entrypoints.cli.campaigns import load_valid
from entrypoints.cli.events import parse_events
from entrypoints.cli.output import (
    Failure,
    InputFile,
    Json,
    Row,
    name_of,
    print_json,
    print_table,
    read_text,
)

if TYPE_CHECKING:
    from referrals.domain.campaign import Campaign
    from referrals.domain.journey_simulation import SimulatedAction, SimulatedEvent
    from referrals.domain.journeys import Journey

app = typer.Typer(no_args_is_help=True, help="Journeys: test.")

Events = Annotated[
    Path,
    typer.Option(
        "--event", help="One event (JSON) or several (an array, or NDJSON), each with its time."
    ),
]
Name = Annotated[str | None, typer.Option("--journey", help="Only this one.")]


@app.callback()
def journeys() -> None:
    pass


@app.command("test")
def simulate(file: InputFile, event: Events, journey: Name = None, as_json: Json = False) -> None:
    """Simulate the journeys of a campaign FILE and print what they would send, to whom and when.

    The data of an event may contain everything that conditions read: friend, advocate, order, referral, milestone, reward, counts.
    An event without a time happens now. Consent, quiet hours and caps are not simulated.
    """
    from referrals.domain.journey_simulation import JourneySimulation

    campaign = load_valid(read_text(file), file)
    events = _simulated_events(event)
    simulation = JourneySimulation(campaign, _select_journeys(campaign, journey))
    for simulated in events:
        simulation.handle(simulated)
    simulation.pass_time()
    if not simulation.actions:
        starts = ", ".join(sorted({found.on for found in simulation.journeys})) or "nothing"
        raise Failure(f"No journey starts with these events. Journeys start with {starts}.")
    rows = [_row(action) for action in simulation.actions]
    if as_json:
        print_json(rows)
    else:
        print_table(rows, COLUMNS)


COLUMNS = {
    "at": "When",
    "journey": "Journey",
    "friend": "Friend",
    "step": "Step",
    "does": "Does",
    "to": "To",
    "channels": "Channels",
}


def _simulated_events(file: Path) -> "list[SimulatedEvent]":
    """Read the events of the file, in the order of their times."""
    from referrals.domain.journey_simulation import parse_simulated_event

    now, events = datetime.now(UTC), []
    for number, event in enumerate(parse_events(read_text(file), name_of(file)), 1):
        try:
            events.append(parse_simulated_event(event, now))
        except (ValueError, TypeError) as error:
            raise Failure(f"{name_of(file)}: event {number}: {error}") from error
    return sorted(events, key=lambda event: event.at)


def _select_journeys(campaign: "Campaign", name: str | None) -> "list[Journey]":
    found = [journey for journey in campaign.journeys if name in (None, journey.name)]
    if name and not found:
        names = ", ".join(journey.name for journey in campaign.journeys) or "none"
        raise Failure(f"There is no journey {name} in {campaign.campaign}; there are {names}.")
    return found


def _row(action: "SimulatedAction") -> Row:
    at = action.at.astimezone(UTC).isoformat(timespec="seconds")
    return asdict(action) | {"at": at, "channels": list(action.channels)}
