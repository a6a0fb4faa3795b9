"""Counts of what an edit of a campaign concerns."""

from typing import Any

from sqlalchemy import ColumnElement, Select, func, select

from referrals.store.db.sql import Tx, literal_in, one
from referrals.store.schema import advocates, milestones


def counted(count: int, noun: str) -> str:
    """Return the count with its noun: "1 advocate", "12 advocates"."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


async def count_rows(tx: Tx, statement: Select[*tuple[Any, ...]]) -> int:
    return int((await one(tx, select(func.count()).select_from(statement.subquery())))[0])


async def count_advocates(tx: Tx, campaign_id: str, *where: ColumnElement[bool]) -> int:
    """Count the advocates of the campaign who meet all conditions."""
    return await count_rows(
        tx, select(advocates.c.id).where(advocates.c.campaign_id == campaign_id, *where)
    )


def has_reached(identity: str) -> ColumnElement[bool]:
    """Return the condition that an advocate has reached the tier, and has not lost it."""
    return (
        select(milestones.c.id)
        .where(
            milestones.c.advocate_id == advocates.c.id,
            milestones.c.tier == identity,
            literal_in(milestones.c.state, "reached"),
        )
        .exists()
    )
