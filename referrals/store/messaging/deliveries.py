"""What became of each message by each channel: what vendors tell of it, in any order, twice and days late.

A delivery only goes forward: trying or unclear, sent, delivered, read. What failed after it was sent goes by the next
channel, or is open for another attempt. Whatever is decided about one message is decided with its row locked.
"""

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Row, select

from referrals.domain.message_status import (
    BlockScope,
    FailureKind,
    MarketingPreference,
    MessageStatus,
)
from referrals.domain.reasons import Reason
from referrals.store.customers import consents
from referrals.store.db.sql import Tx, first, locked, one, rows
from referrals.store.inbox import inbox_events
from referrals.store.messaging import channel_suspensions, drafts, message_log, suppressions
from referrals.store.schema import advocates, customers, message_deliveries, messages
from referrals.temporal.payloads import DeliveryStatus

RESUME_COMMAND = "message_resume"
"""The command that has a message sent again, by the advocate's workflow."""
CHANNEL_RETRY_DELAY = timedelta(minutes=30)
"""Before a message goes again by a channel that could not take it for a while."""
MAX_RETRY_PERIOD = timedelta(days=1)
"""From a message's making; after it such a failure counts as one for good."""
OUTCOME_UNKNOWN = Reason(
    "unclear", "It may have been sent: the answer was lost, and it must not be sent twice."
)

_RANKS = {
    "pending": 0,
    "sending": 1,
    "outcome_unknown": 1,
    "retryable": 2,
    "sent": 2,
    "delivered": 3,
    "read": 4,
}


async def deliveries_by_channel(tx: Tx, message_id: str) -> dict[str, Row[Any]]:
    """Its deliveries by channel."""
    statement = select(message_deliveries).where(message_deliveries.c.message_id == message_id)
    return {row.channel: row for row in await rows(tx, statement.order_by(message_deliveries.c.id))}


async def lock_message(tx: Tx, message_id: str) -> Row[Any]:
    return await one(tx, locked(select(messages).where(messages.c.id == message_id)))


async def record_status(tx: Tx, channel: str, status: MessageStatus, now: datetime) -> bool:
    """What the vendor told, however often and in whatever order; false where it is about no message of ours."""
    message_id = await _find_message_id(tx, channel, status)
    if message_id is None:
        return False
    message = await lock_message(tx, message_id)
    delivery = (await deliveries_by_channel(tx, message_id)).get(channel)
    if delivery is None:
        return False
    at = min(status.at, now)
    if status.kind == "opted_out":
        await record_opt_out(tx, message, channel, at)
    if status.state in ("sent", "failed") and _is_about_other_attempt(delivery, status):
        return True
    if status.state == "failed":
        await _record_failure(tx, message, delivery, status, now)
    else:
        await advance(tx, message, delivery, status.state, at, now, reference=status.reference)
    return True


def _is_about_other_attempt(delivery: Row[Any], status: MessageStatus) -> bool:
    """It is about an attempt that another followed, or may be: only what has reached the customer counts for all."""
    if delivery.reference is None:
        return bool(delivery.attempt > 1)
    return status.reference not in (None, delivery.reference)


async def record_preference(tx: Tx, preference: MarketingPreference, now: datetime) -> None:
    """The owner of the address stopped or resumed marketing over there: so do we, for every customer who has it."""
    statement = select(customers.c.id).where(customers.c.phone == preference.address)
    for row in await rows(tx, statement.order_by(customers.c.id)):
        state: consents.State = "withdrawn" if preference.action == "stop" else "given"
        at = min(preference.at, now)
        await consents.record_consent(
            tx, row.id, preference.channel, "marketing", state, "whatsapp", at
        )


async def advance(
    tx: Tx,
    message: Row[Any],
    delivery: Row[Any],
    state: str,
    at: datetime,
    now: datetime,
    *,
    reference: str | None = None,
    **shown: Any,
) -> str:
    """The delivery has come this far, if it was not there before; `shown` is what the message shows of itself.

    Returns the message's state.
    """
    known = {"reference": reference or delivery.reference}
    moves = _RANKS[state] > _rank(delivery)
    if moves:
        known |= {"state": state, "reason_code": None, "reason": None}
    await tx.execute(
        message_deliveries.update().where(message_deliveries.c.id == delivery.id).values(known)
    )
    if moves and _RANKS[state] > _rank(message):
        shown |= known | {"channel": delivery.channel, "not_before": None}
        shown |= {"completed_at": now} if _rank(message) < _RANKS["sent"] else {}
        shown |= {f"{state}_at": at} if state != "sent" else {}
        await _log_progress(tx, message, state, delivery.channel, now)
    if shown:
        await tx.execute(messages.update().where(messages.c.id == message.id).values(shown))
    return str(shown.get("state", message.state))


def _rank(row: Row[Any]) -> int:
    """What failed, for good or for now, was known to the vendor; of what is unclear nothing is known."""
    if row.state == "failed":
        return _RANKS["outcome_unknown" if row.reason_code == OUTCOME_UNKNOWN.code else "sent"]
    return _RANKS[row.state]


async def _log_progress(tx: Tx, before: Row[Any], state: str, channel: str, now: datetime) -> None:
    """Sent and delivered, each once."""
    if _rank(before) < _RANKS["sent"]:
        await message_log.write(tx, [before], "message_sent", now, channel=channel)
    if state != "sent" and _rank(before) < _RANKS["delivered"]:
        await message_log.write(tx, [before], "message_delivered", now, channel=channel)


async def _find_message_id(tx: Tx, channel: str, status: MessageStatus) -> str | None:
    if status.key is not None:
        row = await first(tx, select(messages.c.id).where(messages.c.key == status.key))
    else:
        row = await first(
            tx,
            select(message_deliveries.c.message_id).where(
                message_deliveries.c.channel == channel,
                message_deliveries.c.reference == status.reference,
            ),
        )
    return str(row[0]) if row else None


async def _record_failure(
    tx: Tx, message: Row[Any], delivery: Row[Any], status: MessageStatus, now: datetime
) -> None:
    """The message goes by its next channel, or again by this one where the failure passes; or it has failed."""
    given_up = delivery.state == "failed" and delivery.reason_code == OUTCOME_UNKNOWN.code
    if not given_up and delivery.state not in ("sending", "outcome_unknown", "sent"):
        return
    reason = Reason(status.code or "failed", status.message or "It was not delivered.")
    in_time = now < message.created_at + MAX_RETRY_PERIOD and not given_up
    passes = in_time and status.kind in ("unavailable", "blocked")
    state = "retryable" if passes else "failed"
    await set_state(tx, delivery, state, reason)
    await apply_failure(tx, message, delivery, reason, now, status.kind, status.scope)
    if given_up:
        unclear = messages.c.reason_code == OUTCOME_UNKNOWN.code
        statement = messages.update().where(messages.c.id == message.id, unclear)
        await tx.execute(statement.values(reason_code=reason.code, reason=reason.message))
    if message.state == "sent" and message.channel == delivery.channel:
        await _requeue(tx, message, reason, now, now + CHANNEL_RETRY_DELAY if passes else now)


async def set_state(tx: Tx, delivery: Row[Any], state: str, reason: Reason) -> None:
    await tx.execute(
        message_deliveries.update()
        .where(message_deliveries.c.id == delivery.id)
        .values(state=state, reason_code=reason.code, reason=reason.message)
    )


async def record_opt_out(tx: Tx, message: Row[Any], channel: str, at: datetime) -> None:
    """Its recipient told the vendor to stop marketing by the channel: true, whatever became of the message."""
    if message.customer_id:
        customer = message.customer_id
        await consents.record_consent(
            tx, customer, channel, "marketing", "withdrawn", "whatsapp", at
        )


async def apply_failure(
    tx: Tx,
    message: Row[Any],
    delivery: Row[Any],
    reason: Reason,
    now: datetime,
    kind: FailureKind | None,
    scope: BlockScope,
) -> None:
    """What a failure means beyond this message: for the address, or all that goes this way."""
    customer_id, channel = message.customer_id, delivery.channel
    if kind == "unreachable" and delivery.address_hash and customer_id:
        await suppressions.add(
            tx, customer_id, channel, delivery.address_hash, reason.code, reason.message, now
        )
    elif kind == "blocked":
        template = message.template if scope == "template" else ""
        await channel_suspensions.suspend(tx, channel, template, reason.code, reason.message, now)


async def _requeue(
    tx: Tx, message: Row[Any], reason: Reason, now: datetime, again_at: datetime
) -> None:
    """By the advocate's workflow, whichever sent it first: that one may be over. Or it has failed, by all channels."""
    tried = await deliveries_by_channel(tx, message.id)
    if all(channel in tried and tried[channel].state == "failed" for channel in message.channels):
        await drafts.mark_failed(tx, message, reason, now)
        return
    await tx.execute(
        messages.update()
        .where(messages.c.id == message.id)
        .values(
            state="pending",
            sender_id=message.advocate_id,
            completed_at=None,
            reference=None,
            not_before=again_at,
            reason_code=reason.code,
            reason=reason.message,
        )
    )
    command = {
        "campaign_id": message.campaign_id,
        "data": {"message": message.id},
        "retry_at": again_at,
    }
    await inbox_events.queue_commands(tx, RESUME_COMMAND, "engine", now, [command])


async def give_up_channel(tx: Tx, message_id: str, reason: Reason, now: datetime) -> DeliveryStatus:
    """The attempts by the channel in use are spent: the next one's turn, or the message is parked in sight."""
    message = await lock_message(tx, message_id)
    if message.state != "pending":
        return DeliveryStatus(state=message.state)
    tried = await deliveries_by_channel(tx, message_id)
    used = next((row for row in tried.values() if row.state != "failed"), None)
    lost = used is not None and used.state in ("sending", "outcome_unknown")
    if lost and message.purpose == "marketing":
        reason = OUTCOME_UNKNOWN
    if used is not None:
        await set_state(tx, used, "failed", OUTCOME_UNKNOWN if lost else reason)
    left = [name for name in message.channels if name not in tried]
    if used is not None and left and reason is not OUTCOME_UNKNOWN:
        return DeliveryStatus(state="pending", retry_at=now)
    await drafts.mark_failed(tx, message, reason, now)
    return DeliveryStatus(state="failed")


async def resuming_customer_id(tx: Tx, message_id: str) -> str:
    """The id here of the customer whose workflow sends it again."""
    statement = (
        select(advocates.c.customer_id)
        .join(messages, messages.c.advocate_id == advocates.c.id)
        .where(messages.c.id == message_id)
    )
    return str((await one(tx, statement)).customer_id)
