"""Make decisions in activities, and send messages of the log channel in the same transaction.

An activity for each message would cost several times as much as the decision.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace

from temporalio import activity

from referrals.channels.errors import TemplateError
from referrals.channels.templates import Templates
from referrals.clock import Clock
from referrals.domain.reasons import Reason
from referrals.errors import ReferralsError
from referrals.logging import Stopwatch, get_logger
from referrals.store import Store
from referrals.store.db.sql import RowCache, Tx
from referrals.store.messaging import drafts, log_channel
from referrals.store.messaging.channel_selection import SendingRules
from referrals.store.messaging.drafts import Draft
from referrals.store.messaging.log_channel import RenderedMessage
from referrals.temporal.payloads import PendingWork

log = get_logger(__name__)


class LogMessagesFailed(ReferralsError):
    """Messages of the log channel could not be sent; the cause says why."""


@dataclass(frozen=True)
class LogMessages:
    """Sends messages that go by the log channel alone."""

    store: Store
    templates: Templates
    rules: SendingRules
    public_url: str
    clock: Clock

    async def decide(
        self, decision: Callable[[Tx], Awaitable[PendingWork]], subject_id: str = ""
    ) -> PendingWork:
        """Make a decision about a subject, such as an event, and log it as a step of its workflow."""
        stopwatch, info = Stopwatch(), activity.info()
        pending = await self._decide(decision)
        log.info(
            "workflow step",
            workflow_id=info.workflow_id,
            activity=info.activity_type,
            attempt=info.attempt,
            subject_id=subject_id,
            state=pending.state,
            duration_ms=stopwatch.milliseconds,
        )
        return pending

    async def _decide(self, decision: Callable[[Tx], Awaitable[PendingWork]]) -> PendingWork:
        """Make a decision and send its log messages in one transaction. Return the work that remains.

        If the messages fail, the decision is made without them, and activities send them, like messages of other channels.
        """
        try:
            async with self.store.begin() as tx:
                return await self.send(tx, await decision(tx))
        except LogMessagesFailed as error:
            # The error may quote the message. The activity that sends the message reports the details.
            kind = type(error.__cause__).__name__
            log.warning("log messages were not sent with their decision", error=kind)
        async with self.store.begin() as tx:
            return await decision(tx)

    async def send(self, tx: Tx, pending: PendingWork) -> PendingWork:
        """Send the pending log messages. Return the work that remains. Raises LogMessagesFailed."""
        if not pending.messages:
            return pending
        try:
            sent = await self._send(tx, pending.messages)
        except Exception as error:
            raise LogMessagesFailed from error
        remaining = tuple(message for message in pending.messages if message not in sent)
        return replace(pending, messages=remaining)

    async def _send(self, tx: Tx, message_ids: Sequence[str]) -> set[str]:
        known, rendered, now = RowCache(tx), [], self.clock()
        subjects = await log_channel.lock_pending(tx, message_ids, self.rules)
        for subject in subjects:
            draft = await drafts.build_draft(known, subject, self.public_url)
            try:
                rendered.append(self._render(draft))
            except TemplateError as error:
                await drafts.mark_failed(
                    tx, subject.message, Reason("template_error", str(error)), now
                )
        await log_channel.mark_sent(tx, rendered, now)
        return {subject.message.id for subject in subjects}

    def _render(self, draft: Draft) -> RenderedMessage:
        template, locale = draft.message.template, draft.recipient.locale
        content = self.templates.render(template, locale, draft.context, plain=True)
        return RenderedMessage(draft.message, content.subject, content.text, content.purpose)
