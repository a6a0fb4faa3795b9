"""Messages: one activity sends one message, by the first of its channels that reaches the customer."""

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
)
from referrals.channels.message_content import MessageContent
from referrals.channels.templates import Templates
from referrals.clock import Clock
from referrals.domain.message_status import BlockScope, FailureKind
from referrals.domain.reasons import Reason
from referrals.store import Store
from referrals.store.messaging import deliveries, drafts, sending
from referrals.store.messaging.drafts import Draft
from referrals.store.messaging.sending import SendAttempt, SendingRules
from referrals.temporal.payloads import DeliveryStatus

LONGEST_CALL = sending.ATTEMPT_TIMEOUT - timedelta(seconds=15)


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
        """Send a pending message, if it is time, and note what became of it.

        Each call to a channel is claimed before, and its end noted after it; the message's key goes with it, the same
        on every attempt. One that waits says until when it is to be sent again.
        """
        async with self.store.read() as tx:
            draft = await drafts.load_draft(tx, message_id, self.public_url)
        if draft is None:
            return DeliveryStatus(state="withdrawn")
        if draft.message.state != "pending":
            return DeliveryStatus(state=draft.message.state)
        try:
            rendered = self.templates.render(
                draft.message.template, draft.recipient.locale, draft.context
            )
        except TemplateError as error:
            reason = Reason("template_error", str(error))
            async with self.store.begin() as tx:
                await drafts.mark_failed(tx, draft.message, reason, self.clock())
            return DeliveryStatus(state="failed")
        return await self._deliver(draft, rendered)

    @activity.defn(name="give_up_message")
    async def give_up_message(self, message_id: str, error: str) -> DeliveryStatus:
        """Its attempts are spent, with this as the last error: by the next channel, or parked in sight."""
        reason = Reason("attempts_spent", error)
        async with self.store.begin() as tx:
            return await deliveries.give_up_channel(tx, message_id, reason, self.clock())

    async def _deliver(self, draft: Draft, rendered: MessageContent) -> DeliveryStatus:
        while True:
            async with self.store.begin() as tx:
                turn = await sending.begin_attempt(
                    tx, draft.message.id, rendered.purpose, self.rules, self.clock()
                )
            if isinstance(turn, DeliveryStatus):
                return turn
            if done := await self._call(draft, rendered, turn):
                return done

    async def _call(
        self, draft: Draft, rendered: MessageContent, claim: SendAttempt
    ) -> DeliveryStatus | None:
        """None where it is the next channel's turn, or this one's at another time."""
        outgoing = OutgoingMessage(
            draft.message.key,
            claim.address,
            draft.recipient.name,
            rendered,
            draft.context["unsubscribe"],
            claim.attempt,
        )
        try:
            async with asyncio.timeout(LONGEST_CALL.total_seconds()):
                reference = await self.channels[claim.channel].send(outgoing)
        except MessageRejected as error:
            reason = Reason(error.code, str(error))
            await self._not_sent(claim, "failed", reason, _kind(error))
            return None
        except ChannelSuspended as error:
            reason = Reason(error.code, str(error))
            await self._not_sent(claim, "retryable", reason, "blocked", error.scope)
            return None
        except ChannelUnavailable as error:
            await self._not_sent(claim, "retryable", Reason("unavailable", str(error)))
            raise ApplicationError(
                str(error), type="Unavailable", next_retry_delay=error.retry_after
            ) from error
        except (SendOutcomeUnknown, TimeoutError) as error:
            await self._not_sent(claim, "outcome_unknown", deliveries.OUTCOME_UNKNOWN)
            raise ApplicationError(str(error), type="Unclear") from error
        async with self.store.begin() as tx:
            text = rendered.text if claim.channel == "log" else None
            return await sending.record_sent(
                tx, claim, reference, rendered.subject, text, self.clock()
            )

    async def _not_sent(
        self,
        claim: SendAttempt,
        state: str,
        reason: Reason,
        kind: FailureKind | None = None,
        scope: BlockScope = "channel",
    ) -> None:
        async with self.store.begin() as tx:
            await sending.record_not_sent(tx, claim, state, reason, self.clock(), kind, scope)


def _kind(error: MessageRejected) -> FailureKind:
    if isinstance(error, AddressUnreachable):
        return "unreachable"
    return "opted_out" if isinstance(error, RecipientOptedOut) else "refused"
