"""Messages for the log channel. Nothing leaves the system, so one transaction sends them, exactly once."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import bindparam

from referrals.store.customers.consents import Purpose
from referrals.store.db.sql import Tx, insert, locked, rows
from referrals.store.messaging import drafts, message_log
from referrals.store.messaging.channel_selection import SendingRules, available_channels
from referrals.store.messaging.drafts import MessageSubject
from referrals.store.schema import MessageRow, message_deliveries, messages

_PENDING = locked(
    drafts.SUBJECT_QUERY.where(
        messages.c.id.in_(bindparam("message_ids", expanding=True)), messages.c.state == "pending"
    ).order_by(messages.c.id),
    of=messages,
)
_MARK_SENT = (
    messages.update()
    .where(messages.c.id == bindparam("message_id"))
    .values(state="sent", channel="log", not_before=None, reason_code=None, reason=None)
)


@dataclass(frozen=True)
class RenderedMessage:
    """A message with its rendered texts."""

    message: MessageRow
    subject: str
    text: str
    purpose: Purpose


async def lock_pending(
    tx: Tx, message_ids: Sequence[str], rules: SendingRules
) -> list[MessageSubject]:
    """Lock and return those of the messages that are pending and have no channel but the log."""
    found = await rows(tx, _PENDING, message_ids=list(message_ids))
    subjects = map(drafts.parse_subject, found)
    return [each for each in subjects if available_channels(each.message, rules) == ["log"]]


async def mark_sent(tx: Tx, rendered: Sequence[RenderedMessage], now: datetime) -> None:
    """Mark these locked messages as sent."""
    if not rendered:
        return
    contents = [
        {
            "message_id": each.message.id,
            "purpose": each.purpose,
            "subject": each.subject,
            "text": each.text,
            "completed_at": now,
        }
        for each in rendered
    ]
    await tx.execute(_MARK_SENT, contents)
    upsert = insert(tx, message_deliveries).on_conflict_do_update(
        index_elements=["message_id", "channel"], set_={"state": "sent"}
    )
    await tx.execute(upsert, [_delivery(each.message, now) for each in rendered])
    sent = [each.message for each in rendered]
    await message_log.write(tx, sent, "message_sent", now, channel="log")


def _delivery(message: MessageRow, now: datetime) -> dict[str, Any]:
    sent = {"message_id": message.id, "channel": "log", "state": "sent"}
    return sent | {"attempt": 1, "claimed_at": now}
