"""Counts of visits that are no clicks: bots, previews and prefetches."""

from collections.abc import Mapping

from sqlalchemy import select

from referrals.domain.visits import Omission
from referrals.store.db.sql import Tx, insert, rows
from referrals.store.schema import omitted_clicks


async def add(tx: Tx, counts: Mapping[tuple[str, Omission], int]) -> None:
    """Add the counts by campaign and reason."""
    new = insert(tx, omitted_clicks)
    count = omitted_clicks.c.count + new.excluded.count
    statement = new.on_conflict_do_update(
        index_elements=["campaign_id", "reason"], set_={"count": count}
    )
    await tx.execute(
        statement,
        [
            {"campaign_id": campaign_id, "reason": reason, "count": number}
            for (campaign_id, reason), number in sorted(counts.items())
        ],
    )


async def count_by_reason(tx: Tx, campaign_id: str) -> dict[str, int]:
    statement = select(omitted_clicks.c.reason, omitted_clicks.c.count).where(
        omitted_clicks.c.campaign_id == campaign_id
    )
    return dict(await rows(tx, statement.order_by(omitted_clicks.c.reason)))
