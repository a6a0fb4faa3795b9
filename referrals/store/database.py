"""The connection to the database and what a transaction means on each kind."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from typing import Any

from sqlalchemy import event, make_url
from sqlalchemy.engine import Connection
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

BUSY_TIMEOUT = 20_000
"""Milliseconds that a SQLite writer waits for another process."""


class Store:
    """A database. `begin` is one write transaction (one decision), `read` a consistent look."""

    def __init__(self, engine: AsyncEngine) -> None:
        self.engine = engine
        # SQLite has one writer at a time: queueing here is fair, its own waiting is not.
        self._writer: AbstractAsyncContextManager[Any] = (
            asyncio.Lock() if engine.dialect.name == "sqlite" else nullcontext()
        )

    @asynccontextmanager
    async def begin(self) -> AsyncIterator[AsyncConnection]:
        async with self._writer, self.engine.begin() as connection:
            yield connection

    @asynccontextmanager
    async def rehearse(self) -> AsyncIterator[AsyncConnection]:
        """A write transaction that leaves nothing behind."""
        async with self._writer, self.engine.connect() as connection:
            yield connection
            await connection.rollback()

    @asynccontextmanager
    async def read(self) -> AsyncIterator[AsyncConnection]:
        async with self.engine.connect() as connection:
            yield await connection.execution_options(read_only=True)


@asynccontextmanager
async def open_store(url: str) -> AsyncIterator[Store]:
    """A store on `sqlite+aiosqlite:///…` or `postgresql+asyncpg://…` (see `Settings.database_url`)."""
    engine = create_engine(url)
    try:
        yield Store(engine)
    finally:
        await engine.dispose()


def create_engine(url: str) -> AsyncEngine:
    """Errors name no parameters: they end in logs and workflow histories, parameters can be contact details."""
    if make_url(url).get_backend_name() != "sqlite":
        return create_async_engine(
            url, pool_size=10, max_overflow=20, pool_pre_ping=True, hide_parameters=True
        )
    engine = create_async_engine(
        url, connect_args={"timeout": BUSY_TIMEOUT / 1000}, hide_parameters=True
    )
    event.listen(engine.sync_engine, "connect", _prepare_sqlite)
    event.listen(engine.sync_engine, "begin", _begin_sqlite)
    return engine


def _prepare_sqlite(connection: Any, _record: Any) -> None:
    connection.isolation_level = None  # `_begin_sqlite` opens the transactions
    cursor = connection.cursor()
    cursor.execute("PRAGMA journal_mode=WAL")
    cursor.execute("PRAGMA synchronous=NORMAL")
    cursor.execute("PRAGMA foreign_keys=ON")
    cursor.execute(f"PRAGMA busy_timeout={BUSY_TIMEOUT}")
    cursor.close()


def _begin_sqlite(connection: Connection) -> None:
    # A write transaction that began by reading could not wait for another writer, only fail.
    read_only = connection.get_execution_options().get("read_only")
    connection.exec_driver_sql("BEGIN" if read_only else "BEGIN IMMEDIATE")
