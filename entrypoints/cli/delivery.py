"""`referrals delivery`: list deliveries to webhooks and of journeys, and handle failed ones."""

from typing import Annotated, Literal

import typer

from entrypoints.cli.client import ApiClient, api_path
from entrypoints.cli.failed_rows import change_failed
from entrypoints.cli.options import STATE_HELP, Failed, JsonOutput, Limit, OfCampaign
from entrypoints.cli.output import print_rows

app = typer.Typer(
    no_args_is_help=True, help="List deliveries to webhooks and of journeys, and retry failed ones."
)

DeliveryIds = Annotated[
    list[str] | None, typer.Argument(metavar="DELIVERY…", help="Ids of the deliveries.")
]
State = Annotated[
    Literal["pending", "delivered", "failed", "dropped"] | None,
    typer.Option(help=STATE_HELP),
]
Webhook = Annotated[
    str | None, typer.Option(metavar="WEBHOOK", help="Only deliveries to this webhook.")
]

COLUMNS = {
    "id": "Delivery",
    "to": "To",
    "campaign": "Campaign",
    "type": "Type",
    "state": "State",
    "attempts": "Attempts",
    "error": "Last error",
    "due_at": "Next attempt",
}


@app.command("list")
def list_deliveries(
    state: State = None,
    campaign: OfCampaign = None,
    webhook: Webhook = None,
    limit: Limit = 100,
    as_json: JsonOutput = False,
) -> None:
    """List deliveries to all webhooks, and those of the webhook steps of journeys."""
    with ApiClient.connect() as client:
        rows = client.rows(
            api_path("deliveries"), limit, state=state, campaign=campaign, webhook=webhook
        )
    if not as_json:
        rows = [{**row, "to": row["webhook"] or row["url"]} for row in rows]
    print_rows(rows, COLUMNS, what="deliveries", as_json=as_json)


@app.command()
def retry(
    delivery: DeliveryIds = None,
    failed: Failed = False,
    campaign: OfCampaign = None,
    as_json: JsonOutput = False,
) -> None:
    """Send failed deliveries again, under the same ids."""
    change_failed(
        "deliveries", "retry", delivery, failed=failed, campaign=campaign, as_json=as_json
    )


@app.command()
def drop(
    delivery: DeliveryIds = None,
    failed: Failed = False,
    campaign: OfCampaign = None,
    as_json: JsonOutput = False,
) -> None:
    """Give failed deliveries up."""
    change_failed("deliveries", "drop", delivery, failed=failed, campaign=campaign, as_json=as_json)
