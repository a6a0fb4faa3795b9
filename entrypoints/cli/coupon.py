"""`referrals coupon`: import coupon codes into pools and count them."""

from typing import Annotated

import typer

from entrypoints.cli.client import ApiClient, api_path
from entrypoints.cli.errors import CommandError
from entrypoints.cli.files import InputFile, display_name, read_bytes
from entrypoints.cli.options import CampaignSlug, JsonOutput
from entrypoints.cli.output import print_details, print_json, print_line

app = typer.Typer(no_args_is_help=True, help="Manage pools of coupon codes.")

Pool = Annotated[str, typer.Argument(help="Name of the pool in the campaign file.")]


@app.command("import")
def import_coupons(
    campaign: CampaignSlug, pool: Pool, file: InputFile, as_json: JsonOutput = False
) -> None:
    """Import codes from the column `code` of a CSV file. If any line is invalid, import nothing."""
    content, headers = read_bytes(file), {"content-type": "text/csv"}
    with ApiClient.connect() as client:
        path = api_path("campaigns", campaign, "coupons", pool)
        body = client.request("POST", path, content=content, headers=headers)
    if as_json:
        print_json(body)
    if body["errors"]:
        name = display_name(file)
        details = [f"{name}:{error['line']}: {error['reason']}" for error in body["errors"]]
        raise CommandError("No coupon was imported.", details)
    if not as_json:
        print_line(f"Imported {body['imported']} coupons into {pool}.")
        if body["ignored_columns"]:
            print_line(f"Columns that were not read: {', '.join(body['ignored_columns'])}.")


@app.command("list")
def list_coupons(campaign: CampaignSlug, pool: Pool, as_json: JsonOutput = False) -> None:
    """Count the coupons of a pool by state: available, issued, redeemed and void."""
    with ApiClient.connect() as client:
        body = client.get(api_path("campaigns", campaign, "coupons", pool))
    (print_json if as_json else print_details)(body)
