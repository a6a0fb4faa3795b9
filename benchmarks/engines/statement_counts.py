"""Number and duration of the SQL statements of a lifecycle, for the engine and the reference.

Run `python -m benchmarks.engines.statement_counts BARE` with the engine's settings.
"""

import asyncio
import json
import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

from sqlalchemy import Connection, Engine, event

from benchmarks import driver, reference_rows
from benchmarks.engines.ours import Ours
from plugin import ReferralsPlugin, open_resources
from referrals.settings import Settings
from referrals.store import Store, open_store
from referrals.store.db.database import InlineTx
from referrals.store.db.sql import find
from referrals.store.schema import codes
from referrals.temporal.connection import connect
from worker import run_workers

WARM, LIFECYCLES, SELECTS = 10, 20, 2000
CODE = "CODE-0"


@contextmanager
def timing(*engines: Engine) -> Iterator[list[float]]:
    """Collect the milliseconds of each statement in the block, except those that begin or end transactions."""
    spent: list[float] = []

    def before(connection: Connection, *_: object) -> None:
        connection.info["begun"] = time.perf_counter()

    def after(connection: Connection, _: object, statement: str, *__: object) -> None:
        if not statement.startswith("BEGIN"):
            spent.append((time.perf_counter() - connection.info["begun"]) * 1000)

    for engine in engines:
        event.listen(engine, "before_cursor_execute", before)
        event.listen(engine, "after_cursor_execute", after)
    yield spent
    for engine in engines:
        event.remove(engine, "before_cursor_execute", before)
        event.remove(engine, "after_cursor_execute", after)


async def ours(settings: Settings) -> list[float]:
    async with open_resources(settings) as resources:
        client = await connect([ReferralsPlugin(resources, sandbox=False)])
        engine, store = Ours(resources.store, client, settings), resources.store

        async def run(numbers: range) -> None:
            for number in numbers:
                await engine.sign_up(number, 0)
                await engine.convert(number, 0)

        async with run_workers(client):
            await run(range(WARM))
            with timing(*{store.decisions, store.engine.sync_engine}) as spent:
                await run(range(WARM, WARM + LIFECYCLES))
            return spent


async def theirs(url: str) -> list[float]:
    engine = reference_rows.open_async(url)

    async def run(numbers: range) -> None:
        for number in numbers:
            await reference_rows.write_lifecycle_async(engine, number, 0)
            for message in reference_rows.message_ids(number):
                await reference_rows.send_async(engine, message)

    await run(range(WARM))
    with timing(engine.sync_engine) as spent:
        await run(range(WARM, WARM + LIFECYCLES))
    await engine.dispose()
    return spent


async def costs(store: Store) -> dict[str, float]:
    """Return the CPU milliseconds for reading a row by its key: through SQLAlchemy and through the driver alone."""
    async with store.begin() as tx:
        found = {"cost": await _cpu(lambda: find(tx, codes, code=CODE))}
        if isinstance(tx, InlineTx):
            return found | {"driver_cost": await _cpu(await _sqlite_driver(tx))}
    async with store.engine.connect() as connection:
        server: Any = (await connection.get_raw_connection()).driver_connection
        select = partial(server.fetch, "SELECT * FROM codes WHERE code = $1", CODE)
        return found | {"driver_cost": await _cpu(select)}


async def _sqlite_driver(tx: InlineTx) -> Callable[[], Awaitable[object]]:
    file = await tx.run_sync(lambda connection: connection.connection.driver_connection)

    async def read() -> object:
        return file.execute("SELECT * FROM codes WHERE code = ?", (CODE,)).fetchall()

    return read


async def _cpu(ask: Callable[[], Awaitable[object]]) -> float:
    await ask()
    begun = time.process_time()
    for _ in range(SELECTS):
        await ask()
    return (time.process_time() - begun) / SELECTS * 1000


async def main(reference: str) -> None:
    settings = Settings()
    async with open_store(settings.database_url) as store:
        found = await costs(store)
    for name, spent in (("ours", await ours(settings)), ("theirs", await theirs(reference))):
        found |= {f"{name}_count": len(spent) / LIFECYCLES, f"{name}_time": sum(spent) / LIFECYCLES}
    print(json.dumps({"ready": True}), json.dumps(found), sep="\n", flush=True)  # noqa: T201 - the protocol


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
    driver.leave()
