"""Client process of the engine: events go through the inbox, as in the API. The worker is `worker.py`."""

import asyncio
from typing import Any

from sqlalchemy import func, select
from temporalio.client import Client

from benchmarks import driver
from benchmarks.reference_rows import CAMPAIGN
from inbox.receive import Inbox
from referrals.clock import utc_now
from referrals.process import freeze_gc
from referrals.settings import Settings
from referrals.store import Store, open_store
from referrals.store.customers import profiles
from referrals.store.schema import messages
from referrals.temporal.connection import connect
from referrals.temporal.names import referral_workflow_id

PENDING = select(func.count()).where(messages.c.state == "pending")


class Ours:
    def __init__(self, store: Store, client: Client, settings: Settings) -> None:
        self._store = store
        self._client = client
        self._inbox = Inbox(store, client, settings, utc_now)

    async def sign_up(self, number: int, advocate: int) -> None:
        data = {"code": f"CODE-{advocate}", "friend": {"id": f"friend-{number}"}}
        await self._event("referral_signed_up", number, data)

    async def convert(self, number: int, advocate: int) -> None:
        order = {"id": f"order-{number}", "amount": "100.00", "currency": "EUR"}
        data = {"code": f"CODE-{advocate}", "friend": {"id": f"friend-{number}"}, "order": order}
        await self._event("referral_converted", number, data)

    async def pending(self) -> int:
        async with self._store.read() as tx:
            return int((await tx.execute(PENDING)).scalar_one())

    async def events(self, number: int) -> int:
        async with self._store.read() as tx:
            friend = await profiles.find(tx, f"friend-{number}")
        assert friend is not None
        run = self._client.get_workflow_handle(referral_workflow_id(CAMPAIGN, friend.id))
        await run.result()
        return (await run.describe()).history_length

    async def _event(self, kind: str, number: int, data: dict[str, Any]) -> None:
        event = {"specversion": "1.0", "id": f"{kind}-{number}", "source": "bench"}
        answered = await self._inbox.receive(event | {"type": kind, "data": data}, "bench")
        if answered.body.get("decision") not in ("accepted", "held"):
            raise RuntimeError(f"{kind} {number}: {answered.body}")


async def main() -> None:
    settings = Settings()
    async with open_store(settings.database_url, identity=settings.identity) as store:
        engine = Ours(store, await connect(), settings)
        freeze_gc()
        await driver.serve(engine)


if __name__ == "__main__":
    asyncio.run(main())
    driver.leave()
