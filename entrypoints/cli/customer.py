"""`referrals customer`: show a customer and record consent."""

from typing import Annotated

import typer

from entrypoints.cli.client import ApiClient, api_path
from entrypoints.cli.options import CustomerId, JsonOutput
from entrypoints.cli.output import print_details, print_json

app = typer.Typer(no_args_is_help=True, help="Show customers and record their consent.")


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
def consent(
    customer: CustomerId,
    state: Annotated[str, typer.Argument(help="given or withdrawn.")],
    *,
    channel: Annotated[str, typer.Option(help="email or whatsapp.")],
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
