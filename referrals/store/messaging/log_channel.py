"""Messages by the log alone: nothing leaves the house, so that one transaction sends them, exactly once."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Row, bindparam

from referrals.store.customers.consents import Purpose
from referrals.store.db.sql import Tx, insert, locked, rows
from referrals.store.messaging import drafts, message_log
from referrals.store.messaging.drafts import MessageSubject
from referrals.store.messaging.sending import SendingRules, available_channels
from referrals.store.schema import message_deliveries, messages

_PENDING = locked(
    drafts.SUBJECT_QUERY.where(
        messages.c.id.in_(bindparam("wanted", expanding=True)), messages.c.state == "pending"
    ).order_by(messages.c.id),
    of=messages,
)
_SENT = messages.update().where(messages.c.id == bindparam("message"))
_SENT = _SENT.values(state="sent", channel="log", not_before=None, reason_code=None, reason=None)


@dataclass(frozen=True)
class RenderedMessage:
    """A message with its words."""

    message: Row[Any]
    subject: str
    text: str
    purpose: Purpose


async def lock_pending(
    tx: Tx, message_ids: Sequence[str], rules: SendingRules
) -> list[MessageSubject]:
    """Those of the messages that wait to be sent and have no other way, locked."""
    found = map(drafts.parse_subject, await rows(tx, _PENDING, wanted=list(message_ids)))
    return [topic for topic in found if available_channels(topic.message, rules) == ["log"]]


async def mark_sent(tx: Tx, kept: Sequence[RenderedMessage], now: datetime) -> None:
    """These, which were taken, are sent."""
    if not kept:
        return
    shown = [
        {
            "message": one.message.id,
            "purpose": one.purpose,
            "subject": one.subject,
            "text": one.text,
            "completed_at": now,
        }
        for one in kept
    ]
    await tx.execute(_SENT, shown)
    sent = [_delivery(one.message, now) for one in kept]
    again = insert(tx, message_deliveries).on_conflict_do_update(
        index_elements=["message_id", "channel"], set_={"state": "sent"}
    )
    await tx.execute(again, sent)
    messages_sent = [one.message for one in kept]
    await message_log.write(tx, messages_sent, "message_sent", now, channel="log")


def _delivery(message: Row[Any], now: datetime) -> dict[str, Any]:
    sent = {"message_id": message.id, "channel": "log", "state": "sent"}
    return sent | {"attempt": 1, "claimed_at": now}
