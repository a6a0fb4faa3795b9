"""`referrals coupon …`: pools of coupon codes that were made elsewhere."""

from typing import Annotated

import typer

from entrypoints.cli.client import Api, load_settings, path
from entrypoints.cli.output import (
    Failure,
    InputFile,
    Json,
    print_details,
    print_json,
    read_text,
    say,
)

app = typer.Typer(no_args_is_help=True, help="Coupons: import, list.")

Campaign = Annotated[str, typer.Argument(help="The campaign's slug.")]
Pool = Annotated[str, typer.Argument(help="The pool's name, as rewards have it.")]


@app.command("import")
def import_coupons(campaign: Campaign, pool: Pool, file: InputFile, as_json: Json = False) -> None:
    """Add the codes of a CSV file, whose one column is `code`, to a pool: all of them or none."""
    body = {"content": read_text(file).encode(), "headers": {"content-type": "text/csv"}}
    with Api.of(load_settings()) as api:
        answer = api.call("POST", path("campaigns", campaign, "coupons", pool), **body)
    if as_json:
        print_json(answer)
    if answer["errors"]:
        faults = [f"{file}:{fault['line']}: {fault['reason']}" for fault in answer["errors"]]
        raise Failure("Nothing was imported.", faults)
    if not as_json:
        say(f"{answer['imported']} coupons were added to {pool}.")


@app.command("list")
def list_coupons(campaign: Campaign, pool: Pool, as_json: Json = False) -> None:
    """How many coupons of a pool are available, issued, redeemed and void."""
    with Api.of(load_settings()) as api:
        answer = api.get(path("campaigns", campaign, "coupons", pool))
    (print_json if as_json else print_details)(answer)
