"""Status reports: what vendors report about sent messages. They arrive in any order, twice, and days late."""

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy import select

from referrals.domain.actors import SYSTEM_ACTOR
from referrals.domain.message_status import MarketingPreference, MessageStatus
from referrals.domain.reasons import Reason
from referrals.store.customers import consents
from referrals.store.db.sql import Tx, one, rows
from referrals.store.inbox import inbox_events
from referrals.store.messaging import deliveries, drafts
from referrals.store.messaging.deliveries import OUTCOME_UNKNOWN
from referrals.store.schema import (
    MessageDeliveryRow,
    MessageRow,
    advocates,
    customers,
    message_deliveries,
    messages,
)

RESUME_COMMAND = "message_resume"
"""Command that sends a message again through the advocate's workflow."""
CHANNEL_RETRY_DELAY = timedelta(minutes=30)
"""Delay before a message is sent again on a channel that was temporarily unavailable."""
MAX_RETRY_PERIOD = timedelta(days=1)
"""Age of a message after which a temporary failure counts as permanent."""


async def record_statuses(
    tx: Tx, channel: str, statuses: Sequence[MessageStatus], now: datetime
) -> int:
    """Apply status reports, those of one message in order. Return how many are about messages of ours.

    All rows are locked in one order, so that two reports about the same messages cannot deadlock: the messages first,
    then, message by message, what a failure affects.
    """
    ids = await _find_message_ids(tx, channel, statuses)
    by_message: defaultdict[str, list[MessageStatus]] = defaultdict(list)
    for status, message_id in zip(statuses, ids, strict=True):
        if message_id:
            by_message[message_id].append(status)
    found = [
        (await deliveries.lock_message(tx, message_id), reports)
        for message_id, reports in sorted(by_message.items())
    ]
    recorded = 0
    for message, reports in sorted(found, key=_by_affected_rows):
        for status in reports:
            recorded += await _record_status(tx, channel, message.id, status, now)
    return recorded


def _by_affected_rows(found: tuple[MessageRow, list[MessageStatus]]) -> tuple[str, str, str]:
    """Order messages by the suspension and the customer that their failures affect."""
    message, reports = found
    suspends_template = any(
        report.kind == "blocked" and report.scope == "template" for report in reports
    )
    template = message.template if suspends_template else ""
    return (template, message.customer_id or "", message.id)


async def _record_status(
    tx: Tx, channel: str, message_id: str, status: MessageStatus, now: datetime
) -> bool:
    """Apply one report to the message, which is locked. Return False if it was not sent by this channel."""
    message = await deliveries.lock_message(tx, message_id)
    delivery = (await deliveries.deliveries_by_channel(tx, message_id)).get(channel)
    if delivery is None:
        return False
    at = min(status.at, now)
    if status.kind == "opted_out":
        await deliveries.record_opt_out(tx, message, channel, at)
    if status.state in ("sent", "failed") and _is_about_other_attempt(delivery, status):
        return True
    if status.state == "failed":
        await _record_failure(tx, message, delivery, status, now)
    else:
        await deliveries.advance(
            tx, message, delivery, status.state, at, now, reference=status.reference
        )
    return True


def _is_about_other_attempt(delivery: MessageDeliveryRow, status: MessageStatus) -> bool:
    """Return True if the report is, or may be, about an earlier attempt."""
    if delivery.reference is None:
        return bool(delivery.attempt > 1)
    return status.reference not in (None, delivery.reference)


async def record_preference(tx: Tx, preference: MarketingPreference, now: datetime) -> None:
    """Apply a stop or resume of marketing, made at the vendor, to every customer with the address."""
    # A merged customer's phone that the survivor did not take over is not the one that the survivor is written to.
    own = (customers.c.phone == preference.address) & customers.c.merged_into.is_(None)
    statement = select(customers.c.id).where(own)
    for row in await rows(tx, statement.order_by(customers.c.id)):
        state: consents.State = "withdrawn" if preference.action == "stop" else "given"
        at = min(preference.at, now)
        await consents.record_consent(
            tx, row.id, preference.channel, "marketing", state, "whatsapp", at
        )


async def resuming_customer_id(tx: Tx, message_id: str) -> str:
    """Return the internal id of the advocate whose workflow sends the message again."""
    statement = (
        select(advocates.c.customer_id)
        .join(messages, messages.c.advocate_id == advocates.c.id)
        .where(messages.c.id == message_id)
    )
    return str((await one(tx, statement)).customer_id)


async def _find_message_ids(
    tx: Tx, channel: str, statuses: Sequence[MessageStatus]
) -> list[str | None]:
    """Find the message of each report, by our key if the vendor returned it, else by its reference."""
    keys = {status.key for status in statuses if status.key is not None}
    references = {status.reference for status in statuses if status.key is None}
    delivery = message_deliveries.c
    by_key = select(messages.c.key, messages.c.id).where(messages.c.key.in_(keys))
    by_reference = select(delivery.reference, delivery.message_id).where(
        delivery.channel == channel, delivery.reference.in_(references)
    )
    ids_by_key = dict(await rows(tx, by_key)) if keys else {}
    ids_by_reference = dict(await rows(tx, by_reference)) if references else {}
    return [
        ids_by_reference.get(status.reference) if status.key is None else ids_by_key.get(status.key)
        for status in statuses
    ]


async def _record_failure(
    tx: Tx, message: MessageRow, delivery: MessageDeliveryRow, status: MessageStatus, now: datetime
) -> None:
    """Fail the delivery, or make it retryable if the failure is temporary; requeue a message that counted as sent."""
    given_up = delivery.state == "failed" and delivery.reason_code == OUTCOME_UNKNOWN.code
    if not given_up and delivery.state not in (*deliveries.IN_DOUBT, "sent"):
        return
    reason = Reason(status.code or "failed", status.message or "The message was not delivered.")
    in_time = now < message.created_at + MAX_RETRY_PERIOD and not given_up
    retryable = in_time and status.kind in ("unavailable", "blocked")
    await deliveries.set_state(tx, delivery, "retryable" if retryable else "failed", reason)
    await deliveries.apply_failure(tx, message, delivery, reason, now, status.kind, status.scope)
    if given_up:
        await _replace_unknown_outcome(tx, message, reason)
    if message.state == "sent" and message.channel == delivery.channel:
        retry_at = now + CHANNEL_RETRY_DELAY if retryable else now
        await _requeue(tx, message, reason, now, retry_at)


async def _replace_unknown_outcome(tx: Tx, message: MessageRow, reason: Reason) -> None:
    """Replace the reason of a message that failed with an unknown outcome."""
    unknown = messages.c.reason_code == OUTCOME_UNKNOWN.code
    statement = messages.update().where(messages.c.id == message.id, unknown)
    await tx.execute(statement.values(reason_code=reason.code, reason=reason.message))


async def _requeue(
    tx: Tx, message: MessageRow, reason: Reason, now: datetime, retry_at: datetime
) -> None:
    """Send the message again through the advocate's workflow, or fail it if all its channels have failed.

    The workflow that sent it first may have ended.
    """
    tried = await deliveries.deliveries_by_channel(tx, message.id)
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
            not_before=retry_at,
            reason_code=reason.code,
            reason=reason.message,
        )
    )
    command = {
        "campaign_id": message.campaign_id,
        "data": {"message": message.id},
        "retry_at": retry_at,
    }
    await inbox_events.queue_commands(tx, RESUME_COMMAND, SYSTEM_ACTOR, now, [command])
