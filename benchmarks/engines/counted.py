"""What a lifecycle asks of the database, ours and the twin's, and what one statement costs: `… counted BARE`, by our settings."""

import asyncio
import json
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Engine, event

from benchmarks import book, driver
from benchmarks.engines.ours import Ours
from entrypoints.connection import connect
from plugin import ReferralsPlugin, open_resources
from referrals.settings import Settings
from referrals.store import Store, open_store
from referrals.store.schema import codes
from referrals.store.sql import find
from worker import working

WARM, SELECTS = 3, 2000


@contextmanager
def counting(*engines: Engine) -> Iterator[list[str]]:
    """The statements that the block sends, but for those that begin and end transactions."""
    seen: list[str] = []

    def note(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        if not statement.startswith("BEGIN"):
            seen.append(statement)

    for engine in engines:
        event.listen(engine, "before_cursor_execute", note)
    yield seen
    for engine in engines:
        event.remove(engine, "before_cursor_execute", note)


async def ours(settings: Settings) -> int:
    async with open_resources(settings) as resources:
        client = await connect([ReferralsPlugin(resources, sandbox=False)])
        engine, store = Ours(resources.store, client, settings), resources.store
        async with working(client):
            for number in range(WARM):
                await engine.sign_up(number, 0)
                await engine.convert(number, 0)
            with counting(*{store.decisions, store.engine.sync_engine}) as seen:
                await engine.sign_up(WARM, 0)
                await engine.convert(WARM, 0)
            return len(seen)


async def theirs(url: str) -> int:
    engine = book.open_async(url)
    with counting(engine.sync_engine) as seen:
        await book.settle_async(engine, 0, 0)
        for message in book.message_ids(0):
            await book.send_async(engine, message)
    await engine.dispose()
    return len(seen)


async def cost(store: Store) -> float:
    """Milliseconds of CPU of this process, for a row by its key."""
    async with store.begin() as tx:
        await find(tx, codes, code="CODE-0")
        begun = time.process_time()
        for _ in range(SELECTS):
            await find(tx, codes, code="CODE-0")
        return (time.process_time() - begun) / SELECTS * 1000


async def main(twins: str) -> None:
    settings = Settings()
    async with open_store(settings.database_url) as store:
        found = {"cost": await cost(store)}
    found |= {"ours": await ours(settings), "theirs": await theirs(twins)}
    print(json.dumps({"ready": True}), json.dumps(found), sep="\n", flush=True)  # noqa: T201 - the protocol


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
    driver.leave()
