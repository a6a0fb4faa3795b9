"""`referrals customer`: find, show and merge customers, and record their consent."""

from typing import Annotated

import typer

from entrypoints.cli.activity import print_activity
from entrypoints.cli.client import QUEUED, QUEUED_MESSAGE, ApiClient, api_path
from entrypoints.cli.options import CustomerId, JsonOutput, Limit, OfCampaign
from entrypoints.cli.output import print_details, print_json, print_line, print_rows

app = typer.Typer(
    no_args_is_help=True, help="Find, show and merge customers, and record their consent."
)

LIST_COLUMNS = {
    "id": "Customer",
    "name": "Name",
    "locale": "Locale",
    "customer_since": "Customer since",
    "created_at": "Known since",
}
ENTRY_COLUMNS = {
    "at": "Time",
    "account": "Account",
    "type": "Type",
    "currency": "Currency",
    "amount": "Amount",
    "memo": "Memo",
}


@app.command("list")
def list_customers(
    id_: Annotated[
        str | None, typer.Option("--id", metavar="CUSTOMER", help="An id of the customer.")
    ] = None,
    email: Annotated[str | None, typer.Option(help="Email address, in any spelling.")] = None,
    name: Annotated[
        str | None, typer.Option(help="A part of the name, of one of the newest 10,000 customers.")
    ] = None,
    limit: Limit = 100,
    as_json: JsonOutput = False,
) -> None:
    """List customers, or find them by id, email or name."""
    with ApiClient.connect() as client:
        rows = client.rows(api_path("customers"), limit, id=id_, email=email, name=name)
    print_rows(rows, LIST_COLUMNS, what="such customers", as_json=as_json)


@app.command()
def wallet(customer: CustomerId, limit: Limit = 100, as_json: JsonOutput = False) -> None:
    """Show a customer's balances and coupons, and the latest entries of the ledger."""
    with ApiClient.connect() as client:
        body = client.get(api_path("customers", customer, "wallet"))
        entries = client.rows(api_path("customers", customer, "wallet", "entries"), limit)
    if as_json:
        print_json({**body, "entries": entries})
    else:
        print_details(body)
        print_rows(entries, ENTRY_COLUMNS, what="entries", as_json=False)


@app.command()
def activity(
    customer: CustomerId,
    campaign: OfCampaign = None,
    limit: Limit = 100,
    as_json: JsonOutput = False,
) -> None:
    """Show what happened to a customer, newest first."""
    print_activity(campaign, customer, limit, as_json=as_json)


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
    reason: Annotated[
        str | None, typer.Option(help="Reason, stored and shown with what it changes.")
    ] = None,
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
