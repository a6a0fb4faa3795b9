"""Call queues of the providers, shared by all workers."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime, timedelta

from referrals.domain.call_queue import CallQueue
from referrals.store.db.sql import Tx, get, insert
from referrals.store.schema import provider_rate_limits


@asynccontextmanager
async def locked_queue(tx: Tx, provider: str, now: datetime) -> AsyncIterator[CallQueue]:
    """Lock the provider's queue, and store what the block changes."""
    await tx.execute(
        insert(tx, provider_rate_limits)
        .values(provider=provider, next_call_at=now, next_turn_at=now)
        .on_conflict_do_nothing()
    )
    row = await get(tx, provider_rate_limits, lock=True, provider=provider)
    queue = CallQueue(row.next_call_at, row.next_turn_at)
    yield queue
    own = provider_rate_limits.c.provider == provider
    values = {"next_call_at": queue.next_call_at, "next_turn_at": queue.next_turn_at}
    await tx.execute(provider_rate_limits.update().where(own).values(values))


async def add_cost(tx: Tx, provider: str, cost: timedelta, now: datetime) -> None:
    """Delay the provider's next call, for requests beyond those that its turn had paid for."""
    async with locked_queue(tx, provider, now) as queue:
        queue.next_call_at = max(queue.next_call_at, now) + cost
