"""Bringing a database to the newest schema."""

import asyncio
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, func, select
from sqlalchemy.ext.asyncio import AsyncEngine

from referrals.store.db.database import Store, create_engine

LOCK = 7_301_946_118
"""Any number, the same in every process that migrates."""

MIGRATIONS = Path(__file__).parent / "migrations"


async def migrate(engine: AsyncEngine) -> None:
    """Apply what is missing, all of it or nothing; of several processes one does it while the others wait."""
    async with engine.begin() as connection:
        if connection.dialect.name == "postgresql":  # SQLite's write transaction is a lock already
            await connection.execute(select(func.pg_advisory_xact_lock(LOCK)))
        await connection.run_sync(_upgrade)


def upgrade(database_url: str) -> None:
    """The same for a process that has no event loop running."""

    async def run() -> None:
        engine = create_engine(database_url)
        try:
            await migrate(engine)
        finally:
            await engine.dispose()

    asyncio.run(run())


def head() -> str | None:
    """The revision that this code needs."""
    return ScriptDirectory.from_config(_config()).get_current_head()


async def is_current(store: Store) -> bool:
    """Whether the database is at `head`."""
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
