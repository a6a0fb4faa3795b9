"""`referrals db upgrade`: create or upgrade the database schema."""

import typer

from entrypoints.cli.client import load_settings
from entrypoints.cli.database import database_errors, database_url
from entrypoints.cli.options import JsonOutput
from entrypoints.cli.output import print_json, print_line

app = typer.Typer(no_args_is_help=True, help="Upgrade the database.")


@app.command()
def upgrade(as_json: JsonOutput = False) -> None:
    """Create the tables, or upgrade them to the latest schema."""
    url = database_url(load_settings())
    with database_errors(url):
        from referrals.store.db import migrate

        migrate.upgrade(url)
    if as_json:
        print_json({"upgraded": True})
    else:
        print_line("The database has the latest schema.")
