"""Rate limits of the providers, shared by all workers."""

from datetime import datetime, timedelta

from sqlalchemy import select

from referrals.store.db.sql import Tx, insert, locked, one
from referrals.store.schema import paces


async def reserve_call(
    tx: Tx, provider: str, calls_per_second: float, now: datetime, max_wait: timedelta
) -> timedelta:
    """Reserve the next free call and return the delay until it; reserve nothing if it exceeds `max_wait`."""
    await tx.execute(
        insert(tx, paces).values(provider=provider, free_at=now).on_conflict_do_nothing()
    )
    row = await one(tx, locked(select(paces.c.free_at).where(paces.c.provider == provider)))
    call_at: datetime = max(row.free_at, now)
    if call_at - now <= max_wait:
        next_call_at = call_at + timedelta(seconds=1 / calls_per_second)
        own = paces.c.provider == provider
        await tx.execute(paces.update().where(own).values(free_at=next_call_at))
    return call_at - now
