"""Messages: one activity sends one message, by the first of its channels that reaches the customer."""

from collections.abc import Mapping
from dataclasses import dataclass

from temporalio import activity
from temporalio.exceptions import ApplicationError

from referrals.channels import Channel, Outgoing, Refused, Unavailable
from referrals.channels.rendered import Rendered
from referrals.channels.rendering import TemplateError, Templates
from referrals.clock import Clock
from referrals.store import Store, outbox
from referrals.store.outbox import Draft


@dataclass
class MessageActivities:
    """`channels` are those set up on this deployment, by name; `log` is always among them."""

    store: Store
    templates: Templates
    channels: Mapping[str, Channel]
    public_url: str
    clock: Clock

    @activity.defn
    async def send_message(self, message_id: str) -> str:
        """Send a pending message and note what became of it. Returns its state.

        Its key, the same on every attempt, goes with it. An answer that is lost leads to another attempt: at
        least once, and a mail client sees the same Message-ID.
        """
        async with self.store.read() as tx:
            draft = await outbox.draft(tx, message_id, self.public_url)
        if draft.message.state != "pending":
            return str(draft.message.state)
        try:
            return await self._deliver(draft)
        except TemplateError as error:
            return await self._fail(draft, "template_error", str(error))
        except Unavailable as error:
            raise ApplicationError(
                str(error), type="Unavailable", next_retry_delay=error.retry_after
            ) from error

    @activity.defn
    async def give_up_message(self, message_id: str, error: str) -> str:
        """Its attempts are spent: park it in sight, with the last error."""
        async with self.store.read() as tx:
            draft = await outbox.draft(tx, message_id, self.public_url)
        return await self._fail(draft, "attempts_spent", error)

    async def _deliver(self, draft: Draft) -> str:
        message, recipient = draft.message, draft.recipient
        rendered = self.templates.render(message.template, recipient.locale, draft.context)
        refusal = ("no_address", "The customer has no address on the message's channels.")
        for name in self._channels_for(message.channels):
            address = getattr(recipient, name, None)
            if name != "log" and not address:
                continue
            if name != "log" and not _consented(draft, rendered, name):
                refusal = ("no_consent", f"The customer has not consented to messages by {name}.")
                continue
            attempt = activity.info().attempt
            outgoing = Outgoing(message.key, address, recipient.name, rendered, attempt=attempt)
            try:
                reference = await self.channels[name].send(outgoing)
            except Refused as error:
                refusal = (error.code, str(error))
                continue
            async with self.store.begin() as tx:
                await outbox.settle(
                    tx,
                    message,
                    "sent",
                    self.clock(),
                    channel=name,
                    reference=reference,
                    subject=rendered.subject,
                    text=rendered.text if name == "log" else None,
                )
            return "sent"
        return await self._fail(draft, *refusal)

    def _channels_for(self, wanted: list[str]) -> list[str]:
        """Those set up here; `log` where none of them is."""
        return [name for name in wanted if name in self.channels] or ["log"]

    async def _fail(self, draft: Draft, code: str, sentence: str) -> str:
        async with self.store.begin() as tx:
            await outbox.settle(
                tx, draft.message, "failed", self.clock(), reason_code=code, reason=sentence
            )
        return "failed"


def _consented(draft: Draft, rendered: Rendered, channel: str) -> bool:
    told: list[str] = draft.recipient.consent or []
    return channel in told or rendered.purpose == "service"
