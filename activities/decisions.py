"""What goes by the log alone is sent with the decision that made it: an activity for each would cost more."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace

from temporalio import activity

from referrals.channels.errors import TemplateError
from referrals.channels.templates import Templates
from referrals.clock import Clock
from referrals.domain.reasons import Reason
from referrals.errors import ReferralsError
from referrals.store import Store
from referrals.store.db.sql import Known, Tx
from referrals.store.messaging import drafts, log_channel
from referrals.store.messaging.channel_selection import SendingRules
from referrals.store.messaging.drafts import Draft
from referrals.store.messaging.log_channel import RenderedMessage
from referrals.temporal.payloads import PendingWork


class NotSent(ReferralsError):
    """Sending by the log failed, for the reason that is its cause."""


@dataclass(frozen=True)
class LogMessages:
    store: Store
    templates: Templates
    rules: SendingRules
    public_url: str
    clock: Clock

    async def decide(self, decision: Callable[[Tx], Awaitable[PendingWork]]) -> PendingWork:
        """Decide, and send what goes by the log alone, in one transaction; returns what is left to do.

        Whatever goes wrong with the messages, the decision is made: then they go as others do.
        """
        try:
            async with self.store.begin() as tx:
                return await self.send(tx, await decision(tx))
        except NotSent as error:
            # Its words could be those of the message: the activity that sends it now will tell more.
            kind = type(error.__cause__).__name__
            activity.logger.warning("Messages of the log were not sent at once: %s", kind)
        async with self.store.begin() as tx:
            return await decision(tx)

    async def send(self, tx: Tx, progress: PendingWork) -> PendingWork:
        """Send them, and tell what is left to send. Raises NotSent."""
        if not progress.messages:
            return progress
        try:
            settled = await self._settle(tx, progress.messages)
        except Exception as error:
            raise NotSent from error
        left = tuple(message for message in progress.messages if message not in settled)
        return replace(progress, messages=left)

    async def _settle(self, tx: Tx, message_ids: Sequence[str]) -> set[str]:
        known, kept, now = Known(tx), [], self.clock()
        taken = await log_channel.lock_pending(tx, message_ids, self.rules)
        for topic in taken:
            draft = await drafts.build_draft(known, topic, self.public_url)
            try:
                kept.append(self._worded(draft))
            except TemplateError as error:
                await drafts.mark_failed(
                    tx, topic.message, Reason("template_error", str(error)), now
                )
        await log_channel.mark_sent(tx, kept, now)
        return {topic.message.id for topic in taken}

    def _worded(self, draft: Draft) -> RenderedMessage:
        template, locale = draft.message.template, draft.recipient.locale
        words = self.templates.render(template, locale, draft.context, plain=True)
        return RenderedMessage(draft.message, words.subject, words.text, words.purpose)
