"""Suspended channels and templates: nothing goes out through them until an operator fixes the cause.

While a channel is suspended, one message probes it at intervals and all others wait, so that the vendor is not called for
each of them.
"""

from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, select

from referrals.store import views
from referrals.store.db.pages import Cursor, newest_first
from referrals.store.db.sql import Tx, insert, rows_of
from referrals.store.schema import ChannelSuspensionRow
from referrals.store.schema import channel_suspensions as table
from referrals.store.views import Page

PROBE_INTERVAL = timedelta(minutes=30)
MAX_HOLD_TIME = timedelta(days=3)
"""After this time a held message goes to its next channel, or fails."""


async def active_suspensions(tx: Tx, channel: str, template: str) -> list[ChannelSuspensionRow]:
    """Return the suspensions that affect messages of the template on the channel."""
    statement = select(table).where(_affects(channel, template)).order_by(table.c.id)
    return list(await rows_of(tx, ChannelSuspensionRow, statement))


async def claim_probe(tx: Tx, suspension: ChannelSuspensionRow, now: datetime) -> bool:
    """Return True if the caller may probe the channel now; one caller may per interval."""
    result = await tx.execute(
        table.update()
        .where(table.c.id == suspension.id, table.c.probe_at <= now)
        .values(probe_at=now + PROBE_INTERVAL)
        .returning(table.c.id)
    )
    return result.first() is not None


async def suspend(
    tx: Tx, channel: str, template: str, code: str, message: str, now: datetime
) -> None:
    """Suspend the channel, or one template on it (an empty `template` means all). The newest reason is kept."""
    statement = insert(tx, table).values(
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
    """End the suspensions after a message of the template went out."""
    await tx.execute(table.delete().where(_affects(channel, template)))


async def lift(tx: Tx, suspension_id: int) -> bool:
    """End a suspension by hand. Held messages go out at their next attempt. Return False if it does not exist."""
    result = await tx.execute(table.delete().where(table.c.id == suspension_id))
    return bool(result.rowcount)


async def list_suspensions(tx: Tx, cursor: Cursor) -> Page[views.Block]:
    def to_view(row: ChannelSuspensionRow) -> views.Block:
        reason = views.Reason(row.code, row.message)
        template = row.template or None
        return views.Block(str(row.id), row.channel, template, reason, row.since, row.probe_at)

    return await newest_first(tx, select(table), (table.c.id,), cursor, to_view)


def _affects(channel: str, template: str) -> ColumnElement[bool]:
    return (table.c.channel == channel) & table.c.template.in_(["", template])
