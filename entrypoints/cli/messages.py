"""`referrals message …`: what was sent, and what an operator does about what is not."""

from typing import Annotated, Literal

import typer

from entrypoints.cli.client import Api, load_settings, path
from entrypoints.cli.output import Json, print_json, print_table, say
from entrypoints.cli.referral import Limit

app = typer.Typer(no_args_is_help=True, help="Messages: list, blocks, unblock, suppressions, lift.")

State = Annotated[
    Literal["pending", "sent", "delivered", "read", "failed"] | None,
    typer.Option(help="Only those in this state."),
]

MESSAGE = {
    "id": "Message",
    "customer": "Customer",
    "template": "Template",
    "channel": "Channel",
    "state": "State",
    "reason": "Reason",
    "not_before": "Not before",
}
BLOCK = {
    "id": "Block",
    "channel": "Channel",
    "template": "Template",
    "reason": "Reason",
    "since": "Since",
}
SUPPRESSION = {
    "customer": "Customer",
    "channel": "Channel",
    "reason": "Reason",
    "since": "Since",
}


@app.command("list")
def list_messages(
    campaign: Annotated[str, typer.Argument(help="The campaign's slug.")],
    state: State = None,
    limit: Limit = 100,
    as_json: Json = False,
) -> None:
    """Messages of a campaign, and why each one that was not sent was not."""
    _list(path("campaigns", campaign, "messages"), MESSAGE, limit, as_json, state=state)


@app.command("blocks")
def list_blocks(limit: Limit = 100, as_json: Json = False) -> None:
    """Channels and templates that are held until something is set right."""
    _list(path("blocks"), BLOCK, limit, as_json)


@app.command()
def unblock(block: Annotated[str, typer.Argument(help="The block's id.")]) -> None:
    """It was set right: what is held goes out when it tries next, within half an hour."""
    with Api.of(load_settings()) as api:
        api.call("DELETE", path("blocks", block))
    say(f"The block {block} is lifted.")


@app.command("suppressions")
def list_suppressions(limit: Limit = 100, as_json: Json = False) -> None:
    """Customers whose address nothing reaches."""
    _list(path("suppressions"), SUPPRESSION, limit, as_json)


@app.command()
def lift(
    customer: Annotated[str, typer.Argument(help="Your own id of the customer.")],
    channel: Annotated[str, typer.Argument(help="email or whatsapp.")],
) -> None:
    """Write to a customer by a channel again whose address was suppressed."""
    with Api.of(load_settings()) as api:
        api.call("DELETE", path("customers", customer, "suppressions", channel))
    say(f"{customer} is written to by {channel} again.")


def _list(
    where: str, columns: dict[str, str], limit: int, as_json: bool, **filters: str | None
) -> None:
    with Api.of(load_settings()) as api:
        found = api.rows(where, limit, **filters)
    if as_json:
        print_json(found)
    else:
        print_table(found, columns)
