"""How often a provider is called: turns are handed out here, to all workers."""

from datetime import datetime, timedelta

from sqlalchemy import select

from referrals.store.db.sql import Tx, insert, locked, one
from referrals.store.schema import paces


async def take_turn(
    tx: Tx, provider: str, per_second: float, now: datetime, patience: timedelta
) -> timedelta:
    """How long the caller waits for its turn; where that is longer than its patience, it has taken none."""
    await tx.execute(
        insert(tx, paces).values(provider=provider, free_at=now).on_conflict_do_nothing()
    )
    row = await one(tx, locked(select(paces.c.free_at).where(paces.c.provider == provider)))
    turn: datetime = max(row.free_at, now)
    if turn - now <= patience:
        free_at = turn + timedelta(seconds=1 / per_second)
        await tx.execute(paces.update().where(paces.c.provider == provider).values(free_at=free_at))
    return turn - now
