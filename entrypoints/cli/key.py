"""`referrals key`: create, list and revoke API keys, directly in the database."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from entrypoints.cli.client import load_settings
from entrypoints.cli.database import (
    MISSING_DATABASE_HINT,
    database_errors,
    database_url,
    missing_database_file,
)
from entrypoints.cli.errors import CommandError
from entrypoints.cli.options import JsonOutput
from entrypoints.cli.output import print_json, print_line, print_rows

if TYPE_CHECKING:
    from referrals.store import Store

app = typer.Typer(no_args_is_help=True, help="Manage API keys.")

Name = Annotated[str, typer.Argument(help="Name of the key, shown in the activity log.")]
COLUMNS = {"name": "Name", "created_at": "Created", "revoked_at": "Revoked"}
T = TypeVar("T")


@app.command()
def create(name: Name, as_json: JsonOutput = False) -> None:
    """Create an API key and print it. Only its hash is stored, so it cannot be shown again."""
    from referrals.errors import KeyNameTakenError
    from referrals.store import api_keys

    try:
        key = _run_on_store(lambda store: api_keys.create(store, name))
    except KeyNameTakenError as error:
        raise CommandError(str(error)) from error
    if as_json:
        print_json({"name": name, "key": key})
    else:
        print(key)


@app.command("list")
def list_keys(as_json: JsonOutput = False) -> None:
    """List API keys with the times of their creation and revocation."""
    from referrals.store import api_keys
    from referrals.store.views import with_zulu_times

    rows = [
        {
            "name": key.name,
            "created_at": with_zulu_times(key.created_at.isoformat()),
            "revoked_at": with_zulu_times(key.revoked_at.isoformat()) if key.revoked_at else None,
        }
        for key in _run_on_store(api_keys.list_keys)
    ]
    print_rows(rows, COLUMNS, what="API keys", as_json=as_json)


@app.command()
def revoke(name: Name, as_json: JsonOutput = False) -> None:
    """Revoke an API key. This takes effect at once and cannot be undone."""
    from referrals.store import api_keys

    if not _run_on_store(lambda store: api_keys.revoke(store, name)):
        raise CommandError(f"There is no active key {name!r}.")
    if as_json:
        print_json({"name": name, "revoked": True})
    else:
        print_line(f"{name} is revoked.")


def _run_on_store(operation: "Callable[[Store], Awaitable[T]]") -> T:
    from referrals.store import open_store

    settings = load_settings()
    url = database_url(settings)
    if file := missing_database_file(url):
        raise CommandError(f"The database {file} does not exist.", [MISSING_DATABASE_HINT])

    async def run() -> T:
        async with open_store(url, settings.database_options) as store:
            return await operation(store)

    with database_errors(url):
        return asyncio.run(run())
