"""`referrals db …` and `key …`: what is done on the database itself, with or without a running system."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from entrypoints.cli.client import load_settings
from entrypoints.cli.output import Failure, Json, print_json, print_table, say

if TYPE_CHECKING:
    from referrals.settings import Settings
    from referrals.store import Store

db = typer.Typer(no_args_is_help=True, help="Database: upgrade.")
key = typer.Typer(no_args_is_help=True, help="API keys: create, list, revoke.")

Name = Annotated[str, typer.Argument(help="What the key is for; it is shown in the activity log.")]
T = TypeVar("T")
MAKE_OR_NAME = (
    "`referrals db upgrade` makes it; REFERRALS_DATABASE_URL names another, "
    "REFERRALS_DATA_DIR the directory of a `referrals dev --data-dir`."
)


def dev_database(data_dir: Path) -> str:
    """The URL of the database that `referrals dev` keeps in the directory."""
    return f"sqlite+aiosqlite:///{data_dir.absolute() / 'referrals.db'}"


def database_url(settings: "Settings") -> str:
    """REFERRALS_DATABASE_URL, else the database of `referrals dev` where there is one, else the default."""
    given = "database_url" in settings.model_fields_set
    beside_dev = (settings.data_dir / "referrals.db").exists()
    return dev_database(settings.data_dir) if beside_dev and not given else settings.database_url


def missing_file(url: str) -> Path | None:
    """The file of a SQLite database that is not there: opening would make it, and a look should change nothing."""
    from sqlalchemy import make_url

    parsed = make_url(url)
    file = Path(parsed.database or "").absolute()
    return file if parsed.get_backend_name() == "sqlite" and not file.exists() else None


@contextmanager
def database_failures(url: str) -> Iterator[None]:
    """Whatever the database refuses inside becomes a Failure that names it, without its password."""
    from sqlalchemy import make_url
    from sqlalchemy.exc import SQLAlchemyError

    try:
        yield
    except (SQLAlchemyError, OSError) as error:
        cause = getattr(error, "orig", None) or error
        raise Failure(
            f"The database {make_url(url)!r} cannot be used: {cause}",
            ["`referrals db upgrade` makes or upgrades its tables."],
        ) from error


@db.command()
def upgrade(as_json: Json = False) -> None:
    """Bring the database to the newest schema."""
    url = database_url(load_settings())
    with database_failures(url):
        from referrals.store.db import migrate

        migrate.upgrade(url)
    if as_json:
        print_json({"upgraded": True})
    else:
        say("The database is at the newest schema.")


@key.command()
def create(name: Name, as_json: Json = False) -> None:
    """Make a key and print it. It is stored hashed: it cannot be shown again."""
    from referrals.errors import KeyNameTakenError
    from referrals.store import api_keys

    try:
        clear = _on_store(lambda store: api_keys.create(store, name))
    except KeyNameTakenError as error:
        raise Failure(str(error)) from error
    if as_json:
        print_json({"name": name, "key": clear})
    else:
        print(clear)


@key.command("list")
def list_keys(as_json: Json = False) -> None:
    """The keys' names, and since when and until when they are good."""
    from referrals.store import api_keys
    from referrals.store.views import with_zulu_times

    rows = [
        {
            "name": k.name,
            "created_at": with_zulu_times(k.created_at.isoformat()),
            "revoked_at": with_zulu_times(k.revoked_at.isoformat()) if k.revoked_at else None,
        }
        for k in _on_store(api_keys.list_keys)
    ]
    if as_json:
        print_json(rows)
    else:
        print_table(rows, {"name": "Name", "created_at": "Created", "revoked_at": "Revoked"})


@key.command()
def revoke(name: Name, as_json: Json = False) -> None:
    """End a key, at once and for good."""
    from referrals.store import api_keys

    if not _on_store(lambda store: api_keys.revoke(store, name)):
        raise Failure(f"There is no key {name!r} to revoke.")
    if as_json:
        print_json({"name": name, "revoked": True})
    else:
        say(f"{name} is revoked.")


def _on_store(work: "Callable[[Store], Awaitable[T]]") -> T:
    from referrals.store import open_store

    url = database_url(load_settings())
    if file := missing_file(url):
        raise Failure(f"There is no database {file}.", [MAKE_OR_NAME])

    async def run() -> T:
        async with open_store(url) as store:
            return await work(store)

    with database_failures(url):
        return asyncio.run(run())
