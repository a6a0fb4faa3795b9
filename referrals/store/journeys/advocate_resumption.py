"""Resume failed effects of journeys in the workflow of the advocate, because the workflow that had them may have ended."""

from datetime import datetime
from typing import Any

from sqlalchemy import Table, Update, func, select

from referrals.store.db.sql import Tx, get, rows
from referrals.store.inbox import inbox_events
from referrals.store.schema import advocates

RESUME_COMMAND = "advocate_resume"
"""Command that makes an advocate's workflow do what it finds pending."""


async def hand_over(tx: Tx, table: Table[Any], again: Update, actor: str, now: datetime) -> int:
    """Run the update, make the workflow of each row's advocate its sender, and wake it. Return how many rows there are.

    Of a merged advocate, that is the survivor's workflow.
    """
    survivor = (
        select(func.coalesce(advocates.c.merged_into, advocates.c.id))
        .where(advocates.c.id == table.c.advocate_id)
        .scalar_subquery()
    )
    handed_over = again.values(sender_id=survivor).returning(table.c.campaign_id, table.c.sender_id)
    found = await rows(tx, handed_over)
    commands = [
        {"campaign_id": campaign_id, "data": {"advocate": advocate_id}}
        for campaign_id, advocate_id in sorted({(row[0], row[1]) for row in found})
    ]
    await inbox_events.queue_commands(tx, RESUME_COMMAND, actor, now, commands)
    return len(found)


async def resuming_customer_id(tx: Tx, advocate_id: str) -> str:
    """Return the internal id of the advocate whose workflow continues."""
    return (await get(tx, advocates, id=advocate_id)).customer_id
