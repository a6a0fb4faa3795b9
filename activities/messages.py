"""Messages: one activity sends one message, through the first of its channels that can deliver it."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta

from temporalio import activity
from temporalio.exceptions import ApplicationError

from referrals.channels import Channel, OutgoingMessage
from referrals.channels.errors import (
    AddressUnreachable,
    ChannelSuspended,
    ChannelUnavailable,
    MessageRejected,
    RecipientOptedOut,
    SendOutcomeUnknown,
    TemplateError,
    VendorNotCalled,
)
from referrals.channels.message_content import MessageContent
from referrals.channels.templates import Templates
from referrals.clock import Clock
from referrals.domain.message_status import BlockScope, FailureKind
from referrals.domain.reasons import Reason
from referrals.logging import Stopwatch, get_logger, log_context
from referrals.store import Store
from referrals.store.messaging import attempts, channel_selection, deliveries, drafts
from referrals.store.messaging.channel_selection import SendAttempt, SendingRules
from referrals.store.messaging.drafts import Draft
from referrals.temporal.payloads import DeliveryStatus

CALL_TIMEOUT = channel_selection.ATTEMPT_TIMEOUT - timedelta(seconds=15)


log = get_logger(__name__)


@dataclass
class MessageActivities:
    """`channels` are those set up on this deployment, by name; `log` is always among them."""

    store: Store
    templates: Templates
    channels: Mapping[str, Channel]
    rules: SendingRules
    public_url: str
    clock: Clock

    @activity.defn(name="send_message")
    async def send_message(self, message_id: str) -> DeliveryStatus:
        """Send a pending message if it may go out now, and record the outcome.

        Each call to a channel is recorded before it starts and after it ends, and carries the message's key, which is
        the same on every attempt. The result of a message that has to wait says when to try again.
        """
        async with self.store.read() as tx:
            draft = await drafts.load_draft(tx, message_id, self.public_url)
        if draft is None:
            return DeliveryStatus(state="withdrawn")
        if draft.message.state != "pending":
            return DeliveryStatus(state=draft.message.state)
        try:
            content = self.templates.render(
                draft.message.template, draft.recipient.locale, draft.context
            )
        except TemplateError as error:
            reason = Reason("template_error", str(error))
            async with self.store.begin() as tx:
                await drafts.mark_failed(tx, draft.message, reason, self.clock())
            return DeliveryStatus(state="failed")
        with log_context(message_id=message_id):
            return await self._send(draft, content)

    @activity.defn(name="give_up_message")
    async def give_up_message(self, message_id: str, error: str) -> DeliveryStatus:
        """After the last attempt: continue with the next channel, or fail the message for an operator to see."""
        reason = Reason("attempts_spent", error)
        async with self.store.begin() as tx:
            return await deliveries.give_up_channel(tx, message_id, reason, self.clock())

    async def _send(self, draft: Draft, content: MessageContent) -> DeliveryStatus:
        while True:
            async with self.store.begin() as tx:
                selected = await channel_selection.begin_attempt(
                    tx, draft.message.id, content.purpose, self.rules, self.clock()
                )
            if isinstance(selected, DeliveryStatus):
                return selected
            if status := await self._attempt(draft, content, selected):
                return status

    async def _attempt(
        self, draft: Draft, content: MessageContent, attempt: SendAttempt
    ) -> DeliveryStatus | None:
        """Call the channel once. Return None if another channel, or this one later, has to be selected."""
        try:
            reference = await self._call(_outgoing(draft, content, attempt), attempt.channel)
        except MessageRejected as error:
            reason = Reason(error.code, str(error))
            await self._record_not_sent(attempt, "failed", reason, _failure_kind(error))
            return None
        except ChannelSuspended as error:
            reason = Reason(error.code, str(error))
            await self._record_not_sent(attempt, "retryable", reason, "blocked", error.scope)
            return None
        except ChannelUnavailable as error:
            reason = Reason("unavailable", str(error))
            if isinstance(error, VendorNotCalled):
                reason = attempt.last_reason or reason
            await self._record_not_sent(attempt, "retryable", reason)
            raise ApplicationError(
                str(error), type="Unavailable", next_retry_delay=error.retry_after
            ) from error
        except (SendOutcomeUnknown, TimeoutError) as error:
            await self._record_not_sent(attempt, "outcome_unknown", deliveries.OUTCOME_UNKNOWN)
            raise ApplicationError(str(error), type="OutcomeUnknown") from error
        text = content.text if attempt.channel == "log" else None
        async with self.store.begin() as tx:
            return await attempts.record_sent(
                tx, attempt, reference, content.subject, text, self.clock()
            )

    async def _call(self, message: OutgoingMessage, channel: str) -> str | None:
        stopwatch, outcome = Stopwatch(), "failed"
        try:
            async with asyncio.timeout(CALL_TIMEOUT.total_seconds()):
                reference = await self.channels[channel].send(message)
            outcome = "accepted"
            return reference
        finally:
            log.info(
                "channel call",
                channel=channel,
                outcome=outcome,
                duration_ms=stopwatch.milliseconds,
            )

    async def _record_not_sent(
        self,
        attempt: SendAttempt,
        state: str,
        reason: Reason,
        kind: FailureKind | None = None,
        scope: BlockScope = "channel",
    ) -> None:
        async with self.store.begin() as tx:
            await attempts.record_not_sent(tx, attempt, state, reason, self.clock(), kind, scope)


def _outgoing(draft: Draft, content: MessageContent, attempt: SendAttempt) -> OutgoingMessage:
    return OutgoingMessage(
        draft.message.key,
        draft.message.campaign_id,
        draft.message.template,
        attempt.address,
        draft.recipient.name,
        content,
        draft.context["unsubscribe"],
        attempt.number,
    )


def _failure_kind(error: MessageRejected) -> FailureKind:
    if isinstance(error, AddressUnreachable):
        return "unreachable"
    return "opted_out" if isinstance(error, RecipientOptedOut) else "refused"
