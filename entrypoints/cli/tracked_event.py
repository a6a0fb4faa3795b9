"""`referrals tracked-event`: list the events that journeys send to providers, and handle failed ones."""

from typing import Annotated, Literal

import typer

from entrypoints.cli.client import ApiClient, api_path
from entrypoints.cli.options import STATE_HELP, CampaignSlug, JsonOutput, Limit, OfCause
from entrypoints.cli.output import print_json, print_line, print_rows

app = typer.Typer(
    no_args_is_help=True, help="List the events that journeys send to providers, and retry them."
)

EventId = Annotated[str, typer.Argument(metavar="EVENT", help="Id of the tracked event.")]
State = Annotated[
    Literal["pending", "sent", "failed", "dropped"] | None,
    typer.Option(help=STATE_HELP),
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
    cause: OfCause = None,
    limit: Limit = 100,
    as_json: JsonOutput = False,
) -> None:
    """List the events that a campaign's journeys send to providers."""
    path = api_path("campaigns", campaign, "tracked-events")
    with ApiClient.connect() as client:
        rows = client.rows(path, limit, state=state, cause=cause)
    print_rows(rows, COLUMNS, what="such events", as_json=as_json)


@app.command()
def retry(campaign: CampaignSlug, cause: OfCause = None, as_json: JsonOutput = False) -> None:
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
def drop(event: EventId, as_json: JsonOutput = False) -> None:
    """Give one failed event up."""
    with ApiClient.connect() as client:
        dropped = client.post(api_path("tracked-events", event, "drop"))
    if as_json:
        print_json(dropped)
    else:
        print_line(f"{event} is dropped.")
