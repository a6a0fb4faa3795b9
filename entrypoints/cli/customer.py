"""`referrals customer`: show and merge customers, and record their consent."""

from typing import Annotated

import typer

from entrypoints.cli.client import QUEUED, QUEUED_MESSAGE, ApiClient, api_path
from entrypoints.cli.options import CustomerId, JsonOutput
from entrypoints.cli.output import print_details, print_json, print_line

app = typer.Typer(no_args_is_help=True, help="Show and merge customers, and record their consent.")


@app.command()
def show(customer: CustomerId, as_json: JsonOutput = False) -> None:
    """Show a customer's profile, balances, coupons and consents."""
    with ApiClient.connect() as client:
        profile = client.get(api_path("customers", customer))
        wallet = client.get(api_path("customers", customer, "wallet"))
        consents = client.rows(api_path("customers", customer, "consents"))
    if as_json:
        print_json({**profile, "wallet": wallet, "consents": consents})
    else:
        holdings = {"balances": wallet["balances"], "coupons": wallet["coupons"]}
        print_details({**profile, **holdings, "consents": consents})


@app.command()
def merge(
    customer: CustomerId,
    merged: Annotated[
        str,
        typer.Argument(metavar="FROM", help="The other id, which then belongs to the customer."),
    ],
    *,
    reason: Annotated[str | None, typer.Option(help="Reason, stored with the merge.")] = None,
    preview: Annotated[bool, typer.Option(help="Show what the merge would do.")] = False,
    as_json: JsonOutput = False,
) -> None:
    """Merge another id of the same person into a customer. This cannot be undone."""
    body = {"from": merged, "reason": reason, "preview": preview}
    with ApiClient.connect() as client:
        report = client.post(api_path("customers", customer, "merge"), body)
    if as_json:
        print_json(report)
    elif report.get("state") == QUEUED:
        print_line(QUEUED_MESSAGE)
    else:
        print_details(report)


@app.command()
def consent(
    customer: CustomerId,
    state: Annotated[str, typer.Argument(help="given or withdrawn.")],
    *,
    channel: Annotated[str, typer.Option(help="email, whatsapp or http.")],
    purpose: Annotated[str, typer.Option(help="marketing or service.")] = "marketing",
    as_json: JsonOutput = False,
) -> None:
    """Record that a customer gave or withdrew consent to messages."""
    body = {"channel": channel, "purpose": purpose, "state": state, "source": "operator"}
    with ApiClient.connect() as client:
        consents = client.post(api_path("customers", customer, "consents"), body)["data"]
    if as_json:
        print_json(consents)
    else:
        print_details({"customer": customer, "consents": consents})
