"""Events for addresses that are no webhook, delivered as those for webhooks are (see webhooks.py)."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from referrals.domain.webhook_urls import concurrency_group
from referrals.store.db.sql import Tx, insert
from referrals.store.schema import webhook_deliveries


async def add(tx: Tx, *, url: str, key: str, event: Mapping[str, Any], now: datetime) -> None:
    """Send the CloudEvent to the address, once for the key, signed by REFERRALS_WEBHOOK_SECRET.

    The key is the `webhook-id`; it is of printable ASCII. Its order among others is not kept.
    """
    await tx.execute(
        insert(tx, webhook_deliveries)
        .values(
            key=key,
            url=url,
            event=dict(event),
            type=event["type"],
            concurrency_group=concurrency_group(url),
            state="pending",
            attempts=0,
            due_at=now,
            created_at=now,
        )
        .on_conflict_do_nothing(index_elements=["key"])
    )
