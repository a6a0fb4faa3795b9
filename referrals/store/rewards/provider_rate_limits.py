"""Rate limits of the providers, shared by all workers."""

from datetime import datetime, timedelta

from referrals.store.db.sql import Tx, get, insert
from referrals.store.schema import provider_rate_limits


async def reserve_call(
    tx: Tx, provider: str, calls_per_second: float, now: datetime, max_wait: timedelta
) -> timedelta:
    """Reserve the next free call and return the delay until it; reserve nothing if it exceeds `max_wait`."""
    await tx.execute(
        insert(tx, provider_rate_limits)
        .values(provider=provider, next_call_at=now)
        .on_conflict_do_nothing()
    )
    limit = await get(tx, provider_rate_limits, lock=True, provider=provider)
    call_at = max(limit.next_call_at, now)
    if call_at - now <= max_wait:
        next_call_at = call_at + timedelta(seconds=1 / calls_per_second)
        own = provider_rate_limits.c.provider == provider
        await tx.execute(provider_rate_limits.update().where(own).values(next_call_at=next_call_at))
    return call_at - now
