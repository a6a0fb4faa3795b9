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
def rehearse(file: InputFile, event: Events, journey: Name = None, as_json: Json = False) -> None:
    """Play the journeys of a campaign FILE, and print what they would send to whom and when.

    An event's data may tell whatever conditions read: friend, advocate, order, referral, milestone, reward, counts.
    Without a time, an event happens now. Consent, quiet hours and caps are left out.
    """
    from referrals.domain.journey_simulation import JourneySimulation

    campaign = load_valid(read_text(file), file)
    facts = _facts(event)
    play = JourneySimulation(campaign, _chosen(campaign, journey))
    for fact in facts:
        play.happen(fact)
    play.pass_time()
    if not play.deeds:
        begun = ", ".join(sorted({found.on for found in play.journeys})) or "nothing"
        raise Failure(f"No journey begins with these events; they begin with {begun}.")
    rows = [_row(deed) for deed in play.deeds]
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


def _facts(file: Path) -> "list[SimulatedEvent]":
    """In the order in which they happened."""
    from referrals.domain.journey_simulation import parse_simulated_event

    now, facts = datetime.now(UTC), []
    for number, event in enumerate(parse_events(read_text(file), name_of(file)), 1):
        try:
            facts.append(parse_simulated_event(event, now))
        except (ValueError, TypeError) as error:
            raise Failure(f"{name_of(file)}: event {number}: {error}") from error
    return sorted(facts, key=lambda fact: fact.at)


def _chosen(campaign: "Campaign", name: str | None) -> "list[Journey]":
    found = [journey for journey in campaign.journeys if name in (None, journey.name)]
    if name and not found:
        names = ", ".join(journey.name for journey in campaign.journeys) or "none"
        raise Failure(f"There is no journey {name} in {campaign.campaign}; there are {names}.")
    return found


def _row(deed: "SimulatedAction") -> Row:
    at = deed.at.astimezone(UTC).isoformat(timespec="seconds")
    return asdict(deed) | {"at": at, "channels": list(deed.channels)}
