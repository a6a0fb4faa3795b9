"""Lifecycle on DBOS, with client and worker in one process as in its documentation: `dbos_app.py DATABASE SYSTEM`.

A workflow waits for a message with a timeout, writes in one step, publishes the response as an event, and sends in two
steps.
"""

import asyncio
import sys

from dbos import DBOS, DBOSConfig, SetWorkflowID
from sqlalchemy.ext.asyncio import AsyncEngine

from benchmarks import driver, reference_rows

engine: AsyncEngine


@DBOS.step()
async def write_rows(number: int, advocate: int) -> list[str]:
    await reference_rows.write_lifecycle_async(engine, number, advocate)
    return reference_rows.message_ids(number)


@DBOS.step()
async def send(message: str) -> None:
    await reference_rows.send_async(engine, message)


@DBOS.workflow()
async def lifecycle(number: int, advocate: int) -> str:
    converted = await DBOS.recv_async(
        "convert", timeout_seconds=reference_rows.WINDOW.total_seconds()
    )
    if converted is None:
        return "expired"
    messages = await write_rows(number, advocate)
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
        return await reference_rows.pending_async(engine)


async def main(database: str, system: str) -> None:
    global engine  # noqa: PLW0603 - steps are functions
    engine = reference_rows.open_async(database)
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
