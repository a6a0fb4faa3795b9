"""Grants whose time is over."""

from dataclasses import dataclass
from datetime import datetime

from temporalio import activity

from referrals.store import Store
from referrals.store.ledger import ledger

CHUNK = 500
"""Grants booked in one transaction: it holds their wallets, and where there is one writer at a time everybody, for so long."""


@dataclass
class ExpiryActivities:
    store: Store

    @activity.defn(name="expire")
    async def expire(self, now: datetime) -> bool:
        """Book the next grants that are due to expire; whether there may be more. Doing it again goes on from there."""
        async with self.store.begin() as tx:
            return await ledger.expire(tx, now, CHUNK) > 0
