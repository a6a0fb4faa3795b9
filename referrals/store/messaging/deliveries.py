"""Deliveries: the state of each message on each of its channels.

A delivery only moves forward: sending or outcome_unknown, sent, delivered, read. A message that fails on one channel goes
to its next channel, or becomes retryable. Every change of a message is made with its row locked.
"""

from datetime import datetime
from typing import Any

from sqlalchemy import select

from referrals.domain.message_status import BlockScope, FailureKind
from referrals.domain.reasons import Reason
from referrals.store.customers import consents
from referrals.store.db.sql import Tx, get, rows_of
from referrals.store.messaging import channel_suspensions, drafts, message_log, suppressions
from referrals.store.schema import MessageDeliveryRow, MessageRow, message_deliveries, messages
from referrals.temporal.payloads import DeliveryStatus

OUTCOME_UNKNOWN = Reason(
    "unclear", "The response was lost: the message may have been sent and must not be sent twice."
)
IN_DOUBT = ("sending", "outcome_unknown")
"""States of a delivery whose call has no known outcome."""

_RANKS = {
    "pending": 0,
    "sending": 1,
    "outcome_unknown": 1,
    "retryable": 2,
    "sent": 2,
    "delivered": 3,
    "read": 4,
}


async def deliveries_by_channel(tx: Tx, message_id: str) -> dict[str, MessageDeliveryRow]:
    statement = select(message_deliveries).where(message_deliveries.c.message_id == message_id)
    found = await rows_of(tx, MessageDeliveryRow, statement.order_by(message_deliveries.c.id))
    return {row.channel: row for row in found}


async def lock_message(tx: Tx, message_id: str) -> MessageRow:
    return await get(tx, messages, lock=True, id=message_id)


async def advance(
    tx: Tx,
    message: MessageRow,
    delivery: MessageDeliveryRow,
    state: str,
    at: datetime,
    now: datetime,
    *,
    reference: str | None = None,
    **content: Any,
) -> str:
    """Move the delivery forward to `state`, unless it has come that far already; store `content` in the message.

    Returns the message's state.
    """
    known = {"reference": reference or delivery.reference}
    advances = _RANKS[state] > _rank(delivery)
    if advances:
        known |= {"state": state, "reason_code": None, "reason": None}
    await tx.execute(
        message_deliveries.update().where(message_deliveries.c.id == delivery.id).values(known)
    )
    changes = dict(content)
    if advances and _RANKS[state] > _rank(message):
        changes |= known | {"channel": delivery.channel, "not_before": None}
        changes |= {"completed_at": now} if _rank(message) < _RANKS["sent"] else {}
        changes |= {f"{state}_at": at} if state != "sent" else {}
        await _log_progress(tx, message, state, delivery.channel, now)
    if changes:
        await tx.execute(messages.update().where(messages.c.id == message.id).values(changes))
    return str(changes.get("state", message.state))


def _rank(row: MessageRow | MessageDeliveryRow) -> int:
    """Return how far a delivery or message has come; a failure ranks as sent unless its outcome is unknown."""
    if row.state == "failed":
        return _RANKS["outcome_unknown" if row.reason_code == OUTCOME_UNKNOWN.code else "sent"]
    return _RANKS[row.state]


async def _log_progress(
    tx: Tx, before: MessageRow, state: str, channel: str, now: datetime
) -> None:
    """Log `message_sent` and `message_delivered`, each once per message."""
    if _rank(before) < _RANKS["sent"]:
        await message_log.write(tx, [before], "message_sent", now, channel=channel)
    if state != "sent" and _rank(before) < _RANKS["delivered"]:
        await message_log.write(tx, [before], "message_delivered", now, channel=channel)


async def set_state(tx: Tx, delivery: MessageDeliveryRow, state: str, reason: Reason) -> None:
    await tx.execute(
        message_deliveries.update()
        .where(message_deliveries.c.id == delivery.id)
        .values(state=state, reason_code=reason.code, reason=reason.message)
    )


async def record_opt_out(tx: Tx, message: MessageRow, channel: str, at: datetime) -> None:
    """Record that the recipient asked the vendor to stop marketing, regardless of the state of the message."""
    if message.customer_id:
        source: consents.Source = "http" if channel == "http" else "whatsapp"
        await consents.record_consent(
            tx, message.customer_id, channel, "marketing", "withdrawn", source, at
        )


async def apply_failure(
    tx: Tx,
    message: MessageRow,
    delivery: MessageDeliveryRow,
    reason: Reason,
    now: datetime,
    kind: FailureKind | None,
    scope: BlockScope,
) -> None:
    """Suppress the address, or suspend the channel or template, if the failure affects other messages too."""
    customer_id, channel = message.customer_id, delivery.channel
    if kind == "unreachable" and delivery.address_hash and customer_id:
        await suppressions.add(tx, customer_id, channel, delivery.address_hash, reason, now)
    elif kind == "blocked":
        template = message.template if scope == "template" else ""
        await channel_suspensions.suspend(tx, channel, template, reason.code, reason.message, now)


async def give_up_channel(tx: Tx, message_id: str, reason: Reason, now: datetime) -> DeliveryStatus:
    """Fail the current channel after its last attempt. Continue with the next channel, or fail the message."""
    message = await lock_message(tx, message_id)
    if message.state != "pending":
        return DeliveryStatus(state=message.state)
    tried = await deliveries_by_channel(tx, message_id)
    current = next((row for row in tried.values() if row.state != "failed"), None)
    in_doubt = current is not None and current.state in IN_DOUBT
    if in_doubt and message.purpose == "marketing":
        reason = OUTCOME_UNKNOWN
    if current is not None:
        await set_state(tx, current, "failed", OUTCOME_UNKNOWN if in_doubt else reason)
    untried = [name for name in message.channels if name not in tried]
    if current is not None and untried and reason is not OUTCOME_UNKNOWN:
        return DeliveryStatus(state="pending", retry_at=now)
    await drafts.mark_failed(tx, message, reason, now)
    return DeliveryStatus(state="failed")
