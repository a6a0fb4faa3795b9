"""`referrals message`: list messages, and resume suspended channels and suppressed addresses."""

from typing import Annotated, Literal

import typer

from entrypoints.cli.client import ApiClient, api_path
from entrypoints.cli.options import STATE_HELP, CampaignSlug, CustomerId, JsonOutput, Limit
from entrypoints.cli.output import print_json, print_line, print_rows

app = typer.Typer(
    no_args_is_help=True,
    help="List messages, and resume blocked channels and suppressed addresses.",
)

State = Annotated[
    Literal["pending", "sent", "delivered", "read", "failed"] | None,
    typer.Option(help=STATE_HELP),
]

MESSAGE_COLUMNS = {
    "id": "Message",
    "customer": "Customer",
    "template": "Template",
    "channel": "Channel",
    "state": "State",
    "reason": "Reason",
    "not_before": "Not before",
}
BLOCK_COLUMNS = {
    "id": "Block",
    "channel": "Channel",
    "template": "Template",
    "reason": "Reason",
    "since": "Since",
}
SUPPRESSION_COLUMNS = {
    "customer": "Customer",
    "channel": "Channel",
    "reason": "Reason",
    "since": "Since",
}


@app.command("list")
def list_messages(
    campaign: CampaignSlug, state: State = None, limit: Limit = 100, as_json: JsonOutput = False
) -> None:
    """List the messages of a campaign, with the reason if one was not sent."""
    path = api_path("campaigns", campaign, "messages")
    _list(path, MESSAGE_COLUMNS, "such messages", limit, as_json, state=state)


@app.command("blocks")
def list_blocks(limit: Limit = 100, as_json: JsonOutput = False) -> None:
    """List channels and templates whose messages are held because of a configuration error."""
    _list(api_path("blocks"), BLOCK_COLUMNS, "blocks", limit, as_json)


@app.command()
def unblock(
    block: Annotated[str, typer.Argument(help="Id of the block.")], as_json: JsonOutput = False
) -> None:
    """Remove a block after its cause is fixed. Held messages are sent within half an hour."""
    with ApiClient.connect() as client:
        client.request("DELETE", api_path("blocks", block))
    if as_json:
        print_json({"id": block, "removed": True})
    else:
        print_line(f"Block {block} is removed.")


@app.command("suppressions")
def list_suppressions(limit: Limit = 100, as_json: JsonOutput = False) -> None:
    """List addresses of customers that are suppressed because messages cannot reach them."""
    _list(api_path("suppressions"), SUPPRESSION_COLUMNS, "suppressions", limit, as_json)


@app.command()
def lift(
    customer: CustomerId,
    channel: Annotated[str, typer.Argument(help="email, whatsapp or http.")],
    as_json: JsonOutput = False,
) -> None:
    """Lift a suppression, so that messages are sent to the customer's address again."""
    with ApiClient.connect() as client:
        client.request("DELETE", api_path("customers", customer, "suppressions", channel))
    if as_json:
        print_json({"customer": customer, "channel": channel, "suppressed": False})
    else:
        print_line(f"{channel} to {customer} is no longer suppressed.")


def _list(
    path: str,
    columns: dict[str, str],
    what: str,
    limit: int,
    as_json: bool,
    **filters: str | None,
) -> None:
    with ApiClient.connect() as client:
        rows = client.rows(path, limit, **filters)
    print_rows(rows, columns, what=what, as_json=as_json)
