"""`referrals db`: upgrade the database schema, and rebuild the digests of contacts."""

import asyncio
from typing import TYPE_CHECKING

import typer

from entrypoints.cli.client import load_settings
from entrypoints.cli.database import database_errors, database_url
from entrypoints.cli.errors import CommandError
from entrypoints.cli.options import JsonOutput
from entrypoints.cli.output import print_json, print_line

if TYPE_CHECKING:
    from referrals.settings import Settings

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


@app.command("rebuild-contacts")
def rebuild_contacts(as_json: JsonOutput = False) -> None:
    """Rebuild the digests of contacts after a change of REFERRALS_IDENTITY_SECRETS or REFERRALS_SHARED_CONTACTS.

    The engine can run meanwhile. If the command is interrupted, run it again: it changes only what is not up to date.
    """
    settings = load_settings()
    with database_errors(database_url(settings)):
        changed = asyncio.run(_rebuild_contacts(settings))
    if as_json:
        print_json({"changed": changed})
    else:
        print_line(f"The digests of {changed} customers were rebuilt.")


async def _rebuild_contacts(settings: "Settings") -> int:
    from referrals.settings import SettingsError
    from referrals.store import open_store
    from referrals.store.customers import rebuilding

    try:
        identity = settings.identity
    except SettingsError as error:
        raise CommandError(f"{error}.") from error
    url, changed = database_url(settings), 0
    last: str | None = ""
    async with open_store(url, settings.database_options, identity) as store:
        while last is not None:
            async with store.begin() as tx:
                last, count = await rebuilding.rebuild_chunk(tx, last)
            changed += count
    return changed
