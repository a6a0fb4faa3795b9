"""Access to the database from commands: its URL, and errors that name it."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from entrypoints.cli.errors import CommandError

if TYPE_CHECKING:
    from referrals.settings import Settings

MISSING_DATABASE_HINT = (
    "Run `referrals db upgrade` to create it, set REFERRALS_DATABASE_URL to another database, "
    "or set REFERRALS_DATA_DIR to the data directory of `referrals dev`."
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


@contextmanager
def database_errors(url: str) -> Iterator[None]:
    """Convert errors of the database into a CommandError with its URL, without the password."""
    from sqlalchemy import make_url
    from sqlalchemy.exc import SQLAlchemyError

    try:
        yield
    except (SQLAlchemyError, OSError) as error:
        cause = getattr(error, "orig", None) or error
        raise CommandError(
            f"Cannot use the database {make_url(url)!r}: {cause}",
            ["`referrals db upgrade` creates or upgrades its tables."],
        ) from error
