"""What is held until an operator sets something right: nothing is wrong with the messages.

While a block stands, one message tries at a time and all others wait, so that a vendor is not asked by each of them.
"""

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Row, select

from referrals.store import views
from referrals.store.db.pages import Cursor, newest_first
from referrals.store.db.sql import Tx, insert, rows
from referrals.store.schema import channel_suspensions
from referrals.store.views import Page

PROBE_INTERVAL = timedelta(minutes=30)
"""Between tries."""
MAX_HOLD_TIME = timedelta(days=3)
"""After which a message is held no longer, and goes by its next channel or is parked."""


async def active_suspensions(tx: Tx, channel: str, template: str) -> list[Row[Any]]:
    statement = select(channel_suspensions).where(
        channel_suspensions.c.channel == channel, channel_suspensions.c.template.in_(["", template])
    )
    return list(await rows(tx, statement.order_by(channel_suspensions.c.id)))


async def claim_probe(tx: Tx, block: Row[Any], now: datetime) -> bool:
    """Take the turn to try, if it is time and nobody else has."""
    result = await tx.execute(
        channel_suspensions.update()
        .where(channel_suspensions.c.id == block.id, channel_suspensions.c.probe_at <= now)
        .values(probe_at=now + PROBE_INTERVAL)
        .returning(channel_suspensions.c.id)
    )
    return result.first() is not None


async def suspend(
    tx: Tx,
    channel: str,
    template: str,
    code: str,
    message: str,
    now: datetime,
) -> None:
    """Hold all that goes by the channel, or by its template where one is named; the newest reason counts."""
    statement = insert(tx, channel_suspensions).values(
        channel=channel,
        template=template,
        code=code,
        message=message,
        since=now,
        probe_at=now + PROBE_INTERVAL,
    )
    newest = {name: statement.excluded[name] for name in ("code", "message", "probe_at")}
    await tx.execute(
        statement.on_conflict_do_update(index_elements=["channel", "template"], set_=newest)
    )


async def resume(tx: Tx, channel: str, template: str) -> None:
    """A message got through."""
    await tx.execute(
        channel_suspensions.delete().where(
            channel_suspensions.c.channel == channel,
            channel_suspensions.c.template.in_(["", template]),
        )
    )


async def lift(tx: Tx, block_id: int) -> bool:
    """An operator has set it right: what is held goes out with its next try. False where there is no such block."""
    return bool(
        (
            await tx.execute(
                channel_suspensions.delete().where(channel_suspensions.c.id == block_id)
            )
        ).rowcount
    )


async def list_suspensions(tx: Tx, cursor: Cursor) -> Page[views.Block]:
    def view(row: Row[Any]) -> views.Block:
        reason = views.Reason(row.code, row.message)
        template = row.template or None
        return views.Block(str(row.id), row.channel, template, reason, row.since, row.probe_at)

    return await newest_first(
        tx, select(channel_suspensions), (channel_suspensions.c.id,), cursor, view
    )
