"""`referrals tracked-event`: list the events that journeys send to providers, and handle failed ones."""

from typing import Annotated, Literal

import typer

from entrypoints.cli.client import ApiClient, api_path
from entrypoints.cli.options import CampaignSlug, JsonOutput, Limit
from entrypoints.cli.output import print_json, print_line, print_table
from referrals.domain.failure_causes import FailureCause

app = typer.Typer(
    no_args_is_help=True, help="List the events that journeys send to providers, and retry them."
)

EventId = Annotated[str, typer.Argument(metavar="EVENT", help="Id of the tracked event.")]
State = Annotated[
    Literal["pending", "sent", "failed", "dropped"] | None,
    typer.Option(help="Only events in this state."),
]
Cause = Annotated[
    FailureCause | None,
    typer.Option(help="Only events whose last error has this cause, such as credentials."),
]

COLUMNS = {
    "id": "Event",
    "customer": "Customer",
    "provider": "Provider",
    "event": "Name",
    "state": "State",
    "cause": "Cause",
    "error": "Last error",
}


@app.command("list")
def list_events(
    campaign: CampaignSlug,
    state: State = None,
    cause: Cause = None,
    limit: Limit = 100,
    as_json: JsonOutput = False,
) -> None:
    """List the events that a campaign's journeys send to providers."""
    path = api_path("campaigns", campaign, "tracked-events")
    with ApiClient.connect() as client:
        rows = client.rows(path, limit, state=state, cause=cause)
    if as_json:
        print_json(rows)
    else:
        print_table(rows, COLUMNS)


@app.command()
def retry(campaign: CampaignSlug, cause: Cause = None, as_json: JsonOutput = False) -> None:
    """Send a campaign's failed events again: all, or those of one cause once it is corrected."""
    params = {"cause": cause} if cause else {}
    path = api_path("campaigns", campaign, "tracked-events", "retry")
    with ApiClient.connect() as client:
        answer = client.request("POST", path, params=params)
    if as_json:
        print_json(answer)
    else:
        print_line(f"{answer['retried']} events are sent again.")


@app.command()
def drop(event: EventId) -> None:
    """Give one failed event up."""
    with ApiClient.connect() as client:
        client.post(api_path("tracked-events", event, "drop"))
    print_line(f"{event} is dropped.")
