"""Expiry of points."""

from dataclasses import dataclass
from datetime import datetime

from temporalio import activity

from referrals.store import Store
from referrals.store.ledger import expiry

MAX_BATCH_SIZE = 500
"""Grants booked in one transaction, which locks their wallets (on SQLite: the whole database)."""


@dataclass
class ExpiryActivities:
    store: Store

    @activity.defn(name="expire")
    async def expire(self, now: datetime) -> bool:
        """Book the next batch of expired grants. Return whether there may be more. Idempotent."""
        async with self.store.begin() as tx:
            return await expiry.expire_due(tx, now, MAX_BATCH_SIZE) > 0
