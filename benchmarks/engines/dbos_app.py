"""The lifecycle on DBOS, client and worker in one process as its documentation has it: `dbos_app.py DATABASE SYSTEM`.

A workflow waits for a message with a time-out, writes by one step, tells its answer by an event, and sends by two steps.
"""

import asyncio
import sys

from dbos import DBOS, DBOSConfig, SetWorkflowID
from sqlalchemy.ext.asyncio import AsyncEngine

from benchmarks import book, driver

engine: AsyncEngine


@DBOS.step()
async def settle(number: int, advocate: int) -> list[str]:
    await book.settle_async(engine, number, advocate)
    return book.message_ids(number)


@DBOS.step()
async def send(message: str) -> None:
    await book.send_async(engine, message)


@DBOS.workflow()
async def lifecycle(number: int, advocate: int) -> str:
    converted = await DBOS.recv_async("convert", timeout_seconds=book.WINDOW.total_seconds())
    if converted is None:
        return "expired"
    messages = await settle(number, advocate)
    await DBOS.set_event_async("answer", "accepted")
    for message in messages:
        await send(message)
    return "rewarded"


class Peer:
    async def sign_up(self, number: int, advocate: int) -> None:
        with SetWorkflowID(f"lifecycle-{number}"):
            await DBOS.start_workflow_async(lifecycle, number, advocate)

    async def convert(self, number: int, advocate: int) -> None:  # noqa: ARG002
        run = f"lifecycle-{number}"
        await DBOS.send_async(run, "order", "convert", idempotency_key=run)
        if await DBOS.get_event_async(run, "answer") != "accepted":
            raise RuntimeError(run)

    async def pending(self) -> int:
        return await book.pending_async(engine)


async def main(database: str, system: str) -> None:
    global engine  # noqa: PLW0603 - steps are functions
    engine = book.open_async(database)
    config: DBOSConfig = {
        "name": "referrals-bench",
        "system_database_url": system,
        "console_log_level": "ERROR",
        "log_level": "ERROR",
        # Where the database cannot notify (SQLite) it looks once a second by default.
        "notification_listener_polling_interval_sec": 0.02,
    }
    DBOS(config=config)
    DBOS.launch()
    await driver.serve(Peer())


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
    driver.leave()
