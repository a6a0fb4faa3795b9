"""Access to the database from commands: its URL, and errors that name it."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from entrypoints.cli.errors import CommandError
from referrals.domain.syntax_messages import Rules, reword

if TYPE_CHECKING:
    from referrals.settings import Settings

MISSING_DATABASE_HINT = (
    "Run `referrals db upgrade` to create it, set REFERRALS_DATABASE_URL to another database, "
    "or set REFERRALS_DATA_DIR to the data directory of `referrals dev`."
)

_DATABASE: Rules = (
    ("no such table|UndefinedTable|relation .* does not exist", "it has no tables of this engine"),
    ("no such column|UndefinedColumn", "its tables are of another version"),
    ("not a database", "the file is no SQLite database"),
    ("unable to open", "the file cannot be opened"),
    ("locked", "another process has locked it"),
    ("readonly|read-only", "it is read-only"),
    ("disk|full", "the disk is full or broken"),
    ("password|authentication|role .* does not exist", "the user or the password is wrong"),
    ("database .* does not exist|InvalidCatalogName", "the server has no such database"),
    ("[Cc]onnect|refused|Errno|resolve|getaddrinfo", "the server does not respond"),
)


def dev_database_url(data_dir: Path) -> str:
    """Return the URL of the database that `referrals dev` creates in its data directory."""
    return f"sqlite+aiosqlite:///{data_dir.absolute() / 'referrals.db'}"


def database_url(settings: "Settings") -> str:
    """Return REFERRALS_DATABASE_URL, else the database of `referrals dev` if it exists, else the default."""
    is_set = "database_url" in settings.model_fields_set
    if not is_set and (settings.data_dir / "referrals.db").exists():
        return dev_database_url(settings.data_dir)
    return settings.database_url


def missing_database_file(url: str) -> Path | None:
    """Return the file of a SQLite database that does not exist; opening it would create it."""
    from sqlalchemy import make_url

    parsed = make_url(url)
    file = Path(parsed.database or "").absolute()
    return file if parsed.get_backend_name() == "sqlite" and not file.exists() else None


def shown_url(url: str) -> str:
    """Return the URL as it is configured, without the password."""
    from referrals.settings import without_password

    return without_password(url)


def describe_database_error(error: Exception) -> str:
    """Return why the database cannot be used, in our own words."""
    return reword(str(error), _DATABASE, "it did not carry out the request")


@contextmanager
def database_errors(url: str) -> Iterator[None]:
    """Convert errors of the database into a CommandError with its URL, without the password."""
    from sqlalchemy.exc import SQLAlchemyError

    try:
        yield
    except (SQLAlchemyError, OSError) as error:
        raise CommandError(
            f"Cannot use the database {shown_url(url)}: {describe_database_error(error)}.",
            ["`referrals db upgrade` creates or upgrades its tables."],
        ) from error
