"""`referrals journey test`: simulate the journeys of a campaign file without a server."""

from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from entrypoints.cli.campaign import load_valid_campaign
from entrypoints.cli.errors import CommandError
from entrypoints.cli.event import parse_events
from entrypoints.cli.files import InputFile, display_name, read_text
from entrypoints.cli.options import JsonOutput
from entrypoints.cli.output import JsonObject, print_json, print_table

if TYPE_CHECKING:
    from referrals.domain.campaign import Campaign
    from referrals.domain.journey_simulation import SimulatedAction, SimulatedEvent
    from referrals.domain.journeys import Journey

app = typer.Typer(no_args_is_help=True, help="Test journeys.")

EventFile = Annotated[
    Path,
    typer.Option("--event", metavar="FILE", help="One event, a JSON array of events, or NDJSON."),
]
Name = Annotated[str | None, typer.Option("--journey", help="Only the journey of this name.")]

COLUMNS = {
    "at": "Time",
    "journey": "Journey",
    "friend": "Friend",
    "step": "Step",
    "does": "Action",
    "to": "Recipient",
    "channels": "Channels",
}


@app.command("test")
def simulate(
    file: InputFile, event: EventFile, journey: Name = None, as_json: JsonOutput = False
) -> None:
    """Simulate the journeys of a campaign FILE and print what they would send, to whom and when.

    The data of an event may contain everything that conditions read: friend, advocate, order, referral, milestone, reward, counts. An event without a time happens now. Consent, quiet hours and frequency caps are not simulated.
    """
    from referrals.domain.journey_simulation import JourneySimulation

    campaign = load_valid_campaign(read_text(file), file)
    events = _simulated_events(event)
    simulation = JourneySimulation(campaign, _select_journeys(campaign, journey))
    for simulated in events:
        simulation.handle(simulated)
    simulation.pass_time()
    if not simulation.actions:
        starts = ", ".join(sorted({found.on for found in simulation.journeys})) or "nothing"
        raise CommandError(f"No journey starts with these events. Journeys start with {starts}.")
    rows = [_row(action) for action in simulation.actions]
    if as_json:
        print_json(rows)
    else:
        print_table(rows, COLUMNS)


def _simulated_events(file: Path) -> "list[SimulatedEvent]":
    """Read the events of the file, in the order of their times."""
    from referrals.domain.journey_simulation import parse_simulated_event

    now, events = datetime.now(UTC), []
    for number, event in enumerate(parse_events(read_text(file), display_name(file)), 1):
        try:
            events.append(parse_simulated_event(event, now))
        except (ValueError, TypeError) as error:
            raise CommandError(f"{display_name(file)}: event {number}: {error}") from error
    return sorted(events, key=lambda event: event.at)


def _select_journeys(campaign: "Campaign", name: str | None) -> "list[Journey]":
    found = [journey for journey in campaign.journeys if name in (None, journey.name)]
    if name and not found:
        names = ", ".join(journey.name for journey in campaign.journeys) or "none"
        raise CommandError(f"{campaign.campaign} has no journey {name}. Its journeys: {names}.")
    return found


def _row(action: "SimulatedAction") -> JsonObject:
    at = action.at.astimezone(UTC).isoformat(timespec="seconds")
    return asdict(action) | {"at": at, "channels": list(action.channels)}
