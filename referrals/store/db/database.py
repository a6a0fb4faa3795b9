"""Database connections, and transactions on each kind of database.

SQLite runs in this process: a statement takes microseconds, and handing it to a thread takes ten times as long. Short
transactions therefore run in the event loop. Long reads, and waiting for a writer in another process, do not block it.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from datetime import timedelta
from itertools import chain, repeat
from time import monotonic
from typing import Any

from sqlalchemy import Engine, event, make_url
from sqlalchemy import create_engine as create_sync_engine
from sqlalchemy.engine import Connection, CursorResult
from sqlalchemy.exc import DisconnectionError, OperationalError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from referrals.domain.identity import IdentityOptions
from referrals.settings import DatabaseOptions
from referrals.store.db.sql import Tx

DEFAULTS = DatabaseOptions()

BUSY_RETRY_DELAYS = tuple(timedelta(milliseconds=delay) for delay in (0.5, 1, 2, 5))
"""Delays between attempts to begin while another process writes to SQLite; the last one repeats."""
MAX_BLOCKING_TIME = timedelta(milliseconds=20)
"""Limit for how long SQLite itself may block the event loop, such as when it recovers from another process's crash."""


class Store:
    """A database with its kinds of transactions.

    `begin` writes and commits, `autocommit` runs one statement, `uncommitted` writes and rolls back, `read` reads, and
    `read_long` reads without blocking the process.
    """

    def __init__(
        self,
        engine: AsyncEngine,
        options: DatabaseOptions = DEFAULTS,
        identity: IdentityOptions | None = None,
    ) -> None:
        self.engine = engine
        self.identity = identity
        self._busy_timeout = options.busy_timeout
        self._inline = _inline_engine(engine) if engine.dialect.name == "sqlite" else None
        # SQLite has one writer at a time: queueing here is fair, its own waiting is not.
        self._writer: AbstractAsyncContextManager[Any] = (
            asyncio.Lock() if self._inline else nullcontext()
        )

    @property
    def decisions(self) -> Engine:
        """The engine on which `begin` runs."""
        return self._inline or self.engine.sync_engine

    @asynccontextmanager
    async def begin(self) -> AsyncIterator[Tx]:
        async with self._writer, self._connect() as tx:
            yield tx
            if tx.events:
                raise RuntimeError(f"{len(tx.events)} events were published and not handled")
            await tx.commit()

    @asynccontextmanager
    async def autocommit(self) -> AsyncIterator[Tx]:
        """Open a transaction for a single statement."""
        async with self._writer, self._connect(single=True) as tx:
            yield tx
            await tx.commit()

    @asynccontextmanager
    async def uncommitted(self) -> AsyncIterator[Tx]:
        """Open a write transaction that is always rolled back."""
        async with self._writer, self._connect() as tx:
            yield tx

    @asynccontextmanager
    async def read(self) -> AsyncIterator[Tx]:
        async with self._connect(read_only=True, single=True) as tx:
            yield tx

    @asynccontextmanager
    async def read_long(self) -> AsyncIterator[Tx]:
        """Open a read transaction that may take long, without blocking the rest of this process."""
        if self._inline is None:
            async with self.read() as tx:
                yield tx
            return
        async with self.engine.connect() as connection:
            yield AsyncTx(await connection.execution_options(read_only=True), self.identity)

    async def close(self) -> None:
        await self.engine.dispose()
        if self._inline:
            self._inline.dispose()

    @asynccontextmanager
    async def _connect(self, *, read_only: bool = False, single: bool = False) -> AsyncIterator[Tx]:
        """Connect. With `single`, each statement is a transaction of its own on PostgreSQL."""
        if self._inline is None:
            async with self.engine.connect() as connection:
                if single:
                    await connection.execution_options(isolation_level="AUTOCOMMIT")
                yield AsyncTx(connection, self.identity)
            return
        with self._inline.connect() as inline:
            await _begin(inline.execution_options(read_only=read_only), self._busy_timeout)
            yield InlineTx(inline, self.identity)


class AsyncTx:
    """A transaction of an asynchronous driver."""

    def __init__(self, connection: AsyncConnection, identity: IdentityOptions | None) -> None:
        self.events: list[Any] = []
        self.identity = identity
        self.dialect = connection.dialect
        self.execute = connection.execute
        self.scalar = connection.scalar
        self.run_sync = connection.run_sync
        self.commit = connection.commit


class InlineTx:
    """A SQLite transaction that runs its statements in the event loop."""

    def __init__(self, connection: Connection, identity: IdentityOptions | None) -> None:
        self.events: list[Any] = []
        self.identity = identity
        self.dialect = connection.dialect
        self._connection = connection

    async def execute(self, statement: Any, parameters: Any = None) -> CursorResult[Any]:
        return self._connection.execute(statement, parameters)

    async def scalar(self, statement: Any, parameters: Any = None) -> Any:
        return self._connection.scalar(statement, parameters)

    async def run_sync(self, function: Callable[..., Any], /, *args: Any) -> Any:
        return function(self._connection, *args)

    async def commit(self) -> None:
        self._connection.commit()


@asynccontextmanager
async def open_store(
    url: str, options: DatabaseOptions = DEFAULTS, identity: IdentityOptions | None = None
) -> AsyncIterator[Store]:
    """Open a store on `sqlite+aiosqlite:///…` or `postgresql+asyncpg://…` (see `Settings.database_url`).

    Without `identity` no customers can be stored.
    """
    store = Store(create_engine(url, options), options, identity)
    try:
        yield store
    finally:
        await store.close()


def create_engine(url: str, options: DatabaseOptions = DEFAULTS) -> AsyncEngine:
    """Create an engine whose errors hide parameters: those can be contact details, and errors end up in logs."""
    if make_url(url).get_backend_name() != "sqlite":
        engine = create_async_engine(
            url,
            pool_size=options.pool_size,
            max_overflow=0,
            pool_use_lifo=True,
            hide_parameters=True,
            connect_args={"prepared_statement_cache_size": options.statement_cache_size},
        )
        _ping_if_idle(engine.sync_engine, options.ping_after_idle)
        return engine
    timeout = {"timeout": options.busy_timeout.total_seconds()}
    engine = create_async_engine(url, connect_args=timeout, hide_parameters=True)
    _prepare(engine.sync_engine)
    return engine


def _ping_if_idle(engine: Engine, idle: timedelta) -> None:
    """Ping connections that were idle for so long; pinging each time would cost every transaction a round trip."""

    def checkin(_connection: Any, record: Any) -> None:
        record.info["used_at"] = monotonic()

    def checkout(connection: Any, record: Any, _proxy: Any) -> None:
        if monotonic() - record.info.get("used_at", monotonic()) <= idle.total_seconds():
            return
        try:
            engine.dialect.do_ping(connection)
        except engine.dialect.loaded_dbapi.Error as error:
            raise DisconnectionError from error  # the pool reconnects

    event.listen(engine, "checkin", checkin)
    event.listen(engine, "checkout", checkout)


def _inline_engine(engine: AsyncEngine) -> Engine:
    """Create an engine on the same file with a blocking driver, with as many connections as concurrent transactions."""
    url = engine.url.set(drivername="sqlite")
    inline = create_sync_engine(
        url,
        connect_args={"timeout": MAX_BLOCKING_TIME.total_seconds()},
        max_overflow=-1,
        hide_parameters=True,
    )
    _prepare(inline)
    return inline


def _prepare(engine: Engine) -> None:
    event.listen(engine, "connect", _prepare_sqlite)
    event.listen(engine, "begin", _begin_sqlite)


def _prepare_sqlite(connection: Any, _record: Any) -> None:
    connection.isolation_level = None  # `_begin_sqlite` opens the transactions
    cursor = connection.cursor()
    cursor.execute("PRAGMA journal_mode=WAL")
    cursor.execute("PRAGMA synchronous=NORMAL")
    cursor.execute("PRAGMA foreign_keys=ON")
    cursor.close()


def _begin_sqlite(connection: Connection) -> None:
    # A write transaction that began by reading could not wait for another writer, only fail.
    read_only = connection.get_execution_options().get("read_only")
    connection.exec_driver_sql("BEGIN" if read_only else "BEGIN IMMEDIATE")


async def _begin(connection: Connection, busy_timeout: timedelta) -> None:
    """Begin a transaction; retry while another process writes, until the timeout."""
    until = asyncio.get_running_loop().time() + busy_timeout.total_seconds()
    for delay in chain(BUSY_RETRY_DELAYS, repeat(BUSY_RETRY_DELAYS[-1])):
        try:
            connection.begin()
        except OperationalError as error:
            if not _is_busy(error) or asyncio.get_running_loop().time() > until:
                raise
        else:
            return
        await asyncio.sleep(delay.total_seconds())


def _is_busy(error: OperationalError) -> bool:
    return getattr(error.orig, "sqlite_errorname", "").startswith("SQLITE_BUSY")
