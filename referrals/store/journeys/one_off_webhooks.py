"""Deliveries of the `webhook` steps of journeys: one event to one URL, without a webhook subscription."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from referrals.domain.webhook_urls import concurrency_group
from referrals.store.db.sql import Tx, insert
from referrals.store.schema import webhook_deliveries


async def add(
    tx: Tx, *, campaign_id: str, url: str, key: str, event: Mapping[str, Any], now: datetime
) -> None:
    """Send the CloudEvent to the URL, once for the key, signed with REFERRALS_WEBHOOK_SECRET.

    The key, in printable ASCII, is the `webhook-id`. These deliveries have no order.
    """
    await tx.execute(
        insert(tx, webhook_deliveries)
        .values(
            key=key,
            url=url,
            event=dict(event),
            campaign_id=campaign_id,
            type=event["type"],
            concurrency_group=concurrency_group(url),
            state="pending",
            attempts=0,
            due_at=now,
            created_at=now,
        )
        .on_conflict_do_nothing(index_elements=["key"])
    )
