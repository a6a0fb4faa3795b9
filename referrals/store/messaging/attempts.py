"""Record the outcome of a call to a channel."""

from datetime import datetime

from referrals.domain.message_status import BlockScope, FailureKind
from referrals.domain.reasons import Reason
from referrals.store.db.sql import Tx
from referrals.store.messaging import channel_suspensions, deliveries
from referrals.store.messaging.channel_selection import SendAttempt
from referrals.store.schema import messages
from referrals.temporal.payloads import DeliveryStatus


async def record_sent(
    tx: Tx,
    attempt: SendAttempt,
    reference: str | None,
    subject: str,
    text: str | None,
    now: datetime,
) -> DeliveryStatus:
    """Record that the vendor accepted the message. A later state that is already known is kept."""
    message = await deliveries.lock_message(tx, attempt.message_id)
    delivery = (await deliveries.deliveries_by_channel(tx, message.id))[attempt.channel]
    state = message.state
    if delivery.attempt == attempt.number:
        content = {"subject": subject, "text": text}
        state = await deliveries.advance(
            tx, message, delivery, "sent", now, now, reference=reference, **content
        )
    if attempt.is_probe:
        await channel_suspensions.resume(tx, attempt.channel, message.template)
    return DeliveryStatus(state=state, retry_at=now if state == "pending" else None)


async def record_not_sent(
    tx: Tx,
    attempt: SendAttempt,
    state: str,
    reason: Reason,
    now: datetime,
    kind: FailureKind | None = None,
    scope: BlockScope = "channel",
) -> None:
    """Record another outcome: `retryable`, `outcome_unknown`, or `failed` on this channel.

    Does nothing if a later attempt has begun or the vendor has reported a status meanwhile, but always records an opt-out.
    """
    message = await deliveries.lock_message(tx, attempt.message_id)
    if kind == "opted_out":
        await deliveries.record_opt_out(tx, message, attempt.channel, now)
    delivery = (await deliveries.deliveries_by_channel(tx, message.id))[attempt.channel]
    if (delivery.attempt, delivery.state) == (attempt.number, "sending"):
        await deliveries.set_state(tx, delivery, state, reason)
        await deliveries.apply_failure(tx, message, delivery, reason, now, kind, scope)
        await tx.execute(
            messages.update()
            .where(messages.c.id == message.id, messages.c.state == "pending")
            .values(reason_code=reason.code, reason=reason.message)
        )
