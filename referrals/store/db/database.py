"""The connection to the database and what a transaction means on each kind.

SQLite runs in this process: a statement takes microseconds, and handing it to a thread ten times as long. So short
transactions run in the event loop itself; only waiting for another process's writer, and long looks, do not hold it up.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from itertools import chain, repeat
from time import monotonic
from typing import Any

from sqlalchemy import Engine, event, make_url
from sqlalchemy import create_engine as create_sync_engine
from sqlalchemy.engine import Connection, CursorResult
from sqlalchemy.exc import DisconnectionError, OperationalError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from referrals.store.db.sql import Tx

IDLE = 5.0
"""Seconds after which a connection to PostgreSQL is asked whether it is still there."""
CONNECTIONS = 30
"""To PostgreSQL, kept open: what a new one costs is more than a whole referral."""
STATEMENTS = 500
"""That a connection to PostgreSQL keeps prepared: all that are asked often."""
BUSY_TIMEOUT = 20.0
"""Seconds that a SQLite writer waits for another process."""
PAUSES = (0.0005, 0.001, 0.002, 0.005)
"""Seconds between its tries; the last one from then on."""
HELD_UP = 0.02
"""Seconds that SQLite itself may hold the event loop up, where it recovers from another process's crash."""


class Store:
    """A database. `begin` is one write transaction (one decision), `read` a consistent look, `scan` a long one."""

    def __init__(self, engine: AsyncEngine) -> None:
        self.engine = engine
        self._inline = _inline_engine(engine) if engine.dialect.name == "sqlite" else None
        # SQLite has one writer at a time: queueing here is fair, its own waiting is not.
        self._writer: AbstractAsyncContextManager[Any] = (
            asyncio.Lock() if self._inline else nullcontext()
        )

    @property
    def decisions(self) -> Engine:
        """What `begin` runs on."""
        return self._inline or self.engine.sync_engine

    @asynccontextmanager
    async def begin(self) -> AsyncIterator[Tx]:
        async with self._writer, self._connect() as tx:
            yield tx
            if tx.events:
                raise RuntimeError(f"{len(tx.events)} events were published and not handled")
            await tx.commit()

    @asynccontextmanager
    async def alone(self) -> AsyncIterator[Tx]:
        """For one statement, which is a transaction of its own."""
        async with self._writer, self._connect(single=True) as tx:
            yield tx
            await tx.commit()

    @asynccontextmanager
    async def rehearse(self) -> AsyncIterator[Tx]:
        """A write transaction that leaves nothing behind, unless it is committed."""
        async with self._writer, self._connect() as tx:
            yield tx

    @asynccontextmanager
    async def read(self) -> AsyncIterator[Tx]:
        async with self._connect(read_only=True, single=True) as tx:
            yield tx

    @asynccontextmanager
    async def scan(self) -> AsyncIterator[Tx]:
        """A look that may take a while: nothing else of this process waits for it."""
        if self._inline is None:
            async with self.read() as tx:
                yield tx
            return
        async with self.engine.connect() as connection:
            yield AsyncTx(await connection.execution_options(read_only=True))

    async def close(self) -> None:
        await self.engine.dispose()
        if self._inline:
            self._inline.dispose()

    @asynccontextmanager
    async def _connect(self, *, read_only: bool = False, single: bool = False) -> AsyncIterator[Tx]:
        """`single` statements stand by themselves; on PostgreSQL each sees what is committed in either case."""
        if self._inline is None:
            async with self.engine.connect() as connection:
                if single:
                    await connection.execution_options(isolation_level="AUTOCOMMIT")
                yield AsyncTx(connection)
            return
        with self._inline.connect() as inline:
            await _open(inline.execution_options(read_only=read_only))
            yield InlineTx(inline)


class AsyncTx:
    """A transaction of an asynchronous driver."""

    def __init__(self, connection: AsyncConnection) -> None:
        self.events: list[Any] = []
        self.dialect = connection.dialect
        self.execute = connection.execute
        self.scalar = connection.scalar
        self.run_sync = connection.run_sync
        self.commit = connection.commit


class InlineTx:
    """A SQLite transaction whose statements are done when they are asked for."""

    def __init__(self, connection: Connection) -> None:
        self.events: list[Any] = []
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
async def open_store(url: str) -> AsyncIterator[Store]:
    """A store on `sqlite+aiosqlite:///…` or `postgresql+asyncpg://…` (see `Settings.database_url`)."""
    store = Store(create_engine(url))
    try:
        yield store
    finally:
        await store.close()


def create_engine(url: str) -> AsyncEngine:
    """Errors name no parameters: they end in logs and workflow histories, parameters can be contact details."""
    if make_url(url).get_backend_name() != "sqlite":
        engine = create_async_engine(
            url,
            pool_size=CONNECTIONS,
            max_overflow=0,
            pool_use_lifo=True,
            hide_parameters=True,
            connect_args={"prepared_statement_cache_size": STATEMENTS},
        )
        _ping_if_idle(engine.sync_engine)
        return engine
    engine = create_async_engine(url, connect_args={"timeout": BUSY_TIMEOUT}, hide_parameters=True)
    _prepare(engine.sync_engine)
    return engine


def _ping_if_idle(engine: Engine) -> None:
    """A connection that was used just now is there; asking it each time would cost every transaction a round trip."""

    def checkin(_connection: Any, record: Any) -> None:
        record.info["used_at"] = monotonic()

    def checkout(connection: Any, record: Any, _proxy: Any) -> None:
        if monotonic() - record.info.get("used_at", monotonic()) <= IDLE:
            return
        try:
            engine.dialect.do_ping(connection)
        except engine.dialect.loaded_dbapi.Error as error:
            raise DisconnectionError from error  # the pool connects anew

    event.listen(engine, "checkin", checkin)
    event.listen(engine, "checkout", checkout)


def _inline_engine(engine: AsyncEngine) -> Engine:
    """The same file by a driver that blocks; there are as many connections as transactions at a time."""
    url = engine.url.set(drivername="sqlite")
    inline = create_sync_engine(
        url, connect_args={"timeout": HELD_UP}, max_overflow=-1, hide_parameters=True
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


async def _open(connection: Connection) -> None:
    """Begin; while another process writes, try again."""
    until = asyncio.get_running_loop().time() + BUSY_TIMEOUT
    for pause in chain(PAUSES, repeat(PAUSES[-1])):
        try:
            connection.begin()
        except OperationalError as error:
            if not _is_busy(error) or asyncio.get_running_loop().time() > until:
                raise
        else:
            return
        await asyncio.sleep(pause)


def _is_busy(error: OperationalError) -> bool:
    return getattr(error.orig, "sqlite_errorname", "").startswith("SQLITE_BUSY")
