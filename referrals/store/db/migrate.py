"""Migrate a database to the newest schema."""

import asyncio
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, func, select
from sqlalchemy.ext.asyncio import AsyncEngine

from referrals.store.db.database import Store, create_engine

ADVISORY_LOCK_KEY = 7_301_946_118
"""Key of the advisory lock that migrating processes share."""

MIGRATIONS = Path(__file__).parent / "migrations"


async def migrate(engine: AsyncEngine) -> None:
    """Apply the missing migrations in one transaction; concurrent processes wait for each other."""
    async with engine.begin() as connection:
        if connection.dialect.name == "postgresql":  # SQLite's write transaction is a lock already
            await connection.execute(select(func.pg_advisory_xact_lock(ADVISORY_LOCK_KEY)))
        await connection.run_sync(_upgrade)


def upgrade(database_url: str) -> None:
    """Migrate from a process without a running event loop."""

    async def run() -> None:
        engine = create_engine(database_url)
        try:
            await migrate(engine)
        finally:
            await engine.dispose()

    asyncio.run(run())


def head() -> str | None:
    """Return the revision that this code needs."""
    return ScriptDirectory.from_config(_config()).get_current_head()


async def is_current(store: Store) -> bool:
    """Return whether the database is at `head`."""
    async with store.read() as connection:
        return bool(await connection.run_sync(_revision) == head())


def _revision(connection: Connection) -> str | None:
    return MigrationContext.configure(connection).get_current_revision()


def _upgrade(connection: Connection) -> None:
    config = _config()
    config.attributes["connection"] = connection
    command.upgrade(config, "head")


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    return config
