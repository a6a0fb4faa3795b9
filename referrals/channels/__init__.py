"""Channels deliver messages to people. A channel sends one rendered message to one address and reports the outcome."""

from dataclasses import dataclass
from typing import Protocol

from referrals.channels.message_content import MessageContent


@dataclass(frozen=True)
class OutgoingMessage:
    """A message for one recipient. `key` is its idempotency key, the same on every attempt."""

    key: str
    campaign: str
    template: str
    to: str | None
    """Address in the format of the channel: an email address, a phone number, or the JSON of the customer's contacts."""
    recipient_name: str | None
    content: MessageContent
    unsubscribe_url: str | None = None
    """One click there, without a login, ends messages of this purpose on this channel."""
    attempt: int = 1
    """Number of this attempt, from 1; a channel's retry delays grow with it."""


class Channel(Protocol):
    name: str
    reports_outcome: bool
    """True if the vendor later reports, by our key, what it sent; lost responses are then resolved."""

    async def send(self, message: OutgoingMessage) -> str | None:
        """Return the vendor's reference once the vendor has accepted the message.

        Raises:
            MessageRejected, AddressUnreachable, RecipientOptedOut, ChannelUnavailable, ChannelSuspended,
            SendOutcomeUnknown: See `channels.errors`.
        """
