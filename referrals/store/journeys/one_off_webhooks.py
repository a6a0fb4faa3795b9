"""Deliveries of the `webhook` steps of journeys: one event to one URL, without a webhook subscription."""

from datetime import datetime

from referrals.domain.webhook_urls import concurrency_group
from referrals.store.db.sql import Tx, insert
from referrals.store.schema import webhook_deliveries


async def add(
    tx: Tx, *, activity_id: int, campaign_id: str, type: str, url: str, key: str, now: datetime
) -> None:
    """Send an event of the activity log to the URL, once for the key, signed with REFERRALS_WEBHOOK_SECRET.

    The key, in printable ASCII, is the `webhook-id`. These deliveries have no order.
    """
    await tx.execute(
        insert(tx, webhook_deliveries)
        .values(
            key=key,
            url=url,
            activity_id=activity_id,
            campaign_id=campaign_id,
            type=type,
            concurrency_group=concurrency_group(url),
            state="pending",
            attempts=0,
            due_at=now,
            created_at=now,
        )
        .on_conflict_do_nothing(index_elements=["key"])
    )
