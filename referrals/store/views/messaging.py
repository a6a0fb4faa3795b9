"""Views of messages and consents."""

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Literal, get_args

from referrals.domain.field_docs import Described
from referrals.store.views.common import ChannelText, PurposeText, Reason, one_of

MessageState = Literal["pending", "sent", "delivered", "read", "failed"]


@dataclass(frozen=True)
class Message(Described):
    """A message to a customer, or to the operator (`customer` is then `operator`).

    A pending message waits until `not_before`. `reason` says why it waits or why it failed.
    """

    id: str
    """Id of the message."""
    customer: str
    """The caller's id of the recipient, or `operator`."""
    journey: str
    """Name of the journey that sends it."""
    event: str
    """Type of the event that started the journey."""
    template: str
    """Name of the template."""
    purpose: PurposeText | None
    """Purpose, which decides about the consent that it needs."""
    channel: ChannelText | None
    """Channel; null until it is chosen."""
    state: Annotated[str, one_of(get_args(MessageState))]
    """Current state."""
    reason: Reason | None
    """Reason why it waits or failed."""
    not_before: datetime | None
    """Time until which it waits."""
    referral: str | None
    """Id of the referral that it is about."""
    milestone: str | None
    """Id of the milestone that it is about."""
    subject: str | None
    """Subject of an email."""
    text: str | None
    """Text as it was sent; null before."""
    created_at: datetime
    """Time at which it was created."""
    completed_at: datetime | None
    """Time at which it was sent or failed."""
    delivered_at: datetime | None
    """Time at which it was delivered."""
    read_at: datetime | None
    """Time at which it was read."""


@dataclass(frozen=True)
class Consent(Described):
    """A consent that was given or withdrawn. The latest one per channel and purpose is in force."""

    channel: ChannelText
    """Channel that it is about."""
    purpose: PurposeText
    """Purpose that it is about."""
    state: Annotated[str, one_of(("given", "withdrawn"))]
    """`given` if messages are allowed."""
    source: Annotated[str, one_of(("list", "api", "link", "whatsapp", "operator"))]
    """Place at which the choice was made."""
    at: datetime
    """Time of the choice."""
    in_force: bool
    """True for the latest choice of its channel and purpose."""


@dataclass(frozen=True)
class Suppression(Described):
    """An address of the customer that the channel cannot reach."""

    customer: str
    """The caller's id of the customer."""
    channel: ChannelText
    """Channel that cannot reach the customer."""
    reason: Reason
    """Reason why it cannot."""
    since: datetime
    """Time of the failed message."""


@dataclass(frozen=True)
class Block(Described):
    """A suspended channel or template. One message is sent at `probe_at` to probe it."""

    id: str
    """Id of the block."""
    channel: ChannelText
    """Channel that is suspended."""
    template: str | None
    """Template that is suspended; null for the whole channel."""
    reason: Reason
    """Error of the vendor."""
    since: datetime
    """Time of the first error."""
    probe_at: datetime
    """Time of the next attempt."""
