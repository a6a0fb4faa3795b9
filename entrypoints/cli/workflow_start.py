"""`referrals workflow-start`: list the workflows that journeys start, and handle failed starts."""

from typing import Annotated, Literal

import typer

from entrypoints.cli.client import ApiClient, api_path
from entrypoints.cli.failed_rows import change_failed
from entrypoints.cli.options import STATE_HELP, Failed, JsonOutput, Limit, OfCampaign
from entrypoints.cli.output import print_rows

app = typer.Typer(
    no_args_is_help=True, help="List the workflows that journeys start, and retry failed starts."
)

StartIds = Annotated[
    list[str] | None, typer.Argument(metavar="START…", help="Ids of the workflow starts.")
]
State = Annotated[
    Literal["pending", "started", "failed", "dropped"] | None,
    typer.Option(help=STATE_HELP),
]

COLUMNS = {
    "id": "Start",
    "campaign": "Campaign",
    "type": "Workflow type",
    "task_queue": "Task queue",
    "namespace": "Namespace",
    "state": "State",
    "error": "Last error",
    "created_at": "Created",
}


@app.command("list")
def list_starts(
    state: State = None,
    campaign: OfCampaign = None,
    limit: Limit = 100,
    as_json: JsonOutput = False,
) -> None:
    """List the workflows of other applications that journeys start."""
    with ApiClient.connect() as client:
        rows = client.rows(api_path("workflow-starts"), limit, state=state, campaign=campaign)
    print_rows(rows, COLUMNS, what="workflow starts", as_json=as_json)


@app.command()
def retry(
    start: StartIds = None,
    failed: Failed = False,
    campaign: OfCampaign = None,
    as_json: JsonOutput = False,
) -> None:
    """Start failed ones again, under the same workflow ids."""
    change_failed(
        "workflow-starts", "retry", start, failed=failed, campaign=campaign, as_json=as_json
    )


@app.command()
def drop(
    start: StartIds = None,
    failed: Failed = False,
    campaign: OfCampaign = None,
    as_json: JsonOutput = False,
) -> None:
    """Give failed workflow starts up."""
    change_failed(
        "workflow-starts", "drop", start, failed=failed, campaign=campaign, as_json=as_json
    )
