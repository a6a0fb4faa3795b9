"""`referrals codes`: list referral codes, and look one up."""

from typing import Annotated

import typer

from entrypoints.cli.client import ApiClient, api_path
from entrypoints.cli.options import CampaignSlug, JsonOutput, Limit, OfCustomer
from entrypoints.cli.output import print_details, print_json, print_rows

app = typer.Typer(no_args_is_help=True, help="List referral codes, and look one up.")

COLUMNS = {
    "code": "Code",
    "customer": "Customer",
    "state": "State",
    "uses": "Uses",
    "uses_limit": "Limit",
    "expires_at": "Expires",
    "published_at": "Published",
}


@app.command("list")
def list_codes(
    campaign: CampaignSlug,
    customer: OfCustomer = None,
    limit: Limit = 100,
    as_json: JsonOutput = False,
) -> None:
    """List the codes of a campaign."""
    with ApiClient.connect() as client:
        path = api_path("campaigns", campaign, "codes")
        rows = client.rows(path, limit, customer=customer)
    print_rows(rows, COLUMNS, what="codes", as_json=as_json)


@app.command()
def show(
    code: Annotated[str, typer.Argument(metavar="CODE", help="Referral code.")],
    as_json: JsonOutput = False,
) -> None:
    """Show a code with its campaign, owner, state and link."""
    with ApiClient.connect() as client:
        body = client.get(api_path("codes", code))
    (print_json if as_json else print_details)(body)
