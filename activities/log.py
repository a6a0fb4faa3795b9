"""What goes by the log alone is sent right behind the decision that made it: an activity for each would cost more."""

from collections.abc import Sequence
from dataclasses import dataclass

from temporalio import activity

from referrals.channels.rendering import TemplateError, Templates
from referrals.clock import Clock
from referrals.domain.decisions import Reason
from referrals.domain.progress import Progress
from referrals.store import Store, keeping, outbox
from referrals.store.keeping import Kept
from referrals.store.outbox import Draft
from referrals.store.schema import customers
from referrals.store.sending import Rules
from referrals.store.sql import Known, Tx


@dataclass(frozen=True)
class LogMessages:
    store: Store
    templates: Templates
    rules: Rules
    public_url: str
    clock: Clock

    async def send(self, progress: Progress) -> Progress:
        """Send them, and tell what is left to send. Whatever goes wrong, the decision stands: they go as others do."""
        if not progress.messages:
            return progress
        try:
            async with self.store.begin() as tx:
                settled = await self._settle(tx, progress.messages)
        except Exception as error:  # noqa: BLE001 - whatever it is, the decision was made
            # Its words could be those of the message: the activity that sends it now will tell more.
            activity.logger.warning(
                "Messages of the log were not sent at once: %s", type(error).__name__
            )
            return progress
        left = tuple(message for message in progress.messages if message not in settled)
        return progress.model_copy(update={"messages": left})

    async def _settle(self, tx: Tx, message_ids: Sequence[str]) -> set[str]:
        known, kept, now = Known(tx), [], self.clock()
        taken = await keeping.take(tx, message_ids, self.rules)
        await known.fetch(customers, (message.customer_id for message in taken))
        for message in taken:
            draft = await outbox.draft_of(known, message, self.public_url)
            try:
                kept.append(self._worded(draft))
            except TemplateError as error:
                await outbox.fail(tx, message, Reason("template_error", str(error)), now)
        await keeping.keep(tx, kept, now)
        return {message.id for message in taken}

    def _worded(self, draft: Draft) -> Kept:
        template, locale = draft.message.template, draft.recipient.locale
        words = self.templates.render(template, locale, draft.context, plain=True)
        return Kept(draft.message, words.subject, words.text, words.purpose)
