"""Views of messages and consents."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from referrals.domain.field_docs import Described
from referrals.store.views.common import Reason

MessageState = Literal["pending", "sent", "delivered", "read", "failed"]


@dataclass(frozen=True)
class Message(Described):
    """A message to a customer, or to the operator (`customer` is then `operator`).

    A pending message waits until `not_before`. `reason` says why it waits or why it failed.
    """

    id: str
    customer: str
    journey: str
    event: str
    template: str
    purpose: str | None
    channel: str | None
    state: str
    reason: Reason | None
    not_before: datetime | None
    referral: str | None
    milestone: str | None
    subject: str | None
    text: str | None
    created_at: datetime
    completed_at: datetime | None
    delivered_at: datetime | None
    read_at: datetime | None


@dataclass(frozen=True)
class Consent(Described):
    """A consent that was given or withdrawn. The latest one per channel and purpose is in force."""

    channel: str
    purpose: str
    state: str
    source: str
    at: datetime
    in_force: bool


@dataclass(frozen=True)
class Suppression(Described):
    """An address of the customer that the channel cannot reach."""

    customer: str
    channel: str
    reason: Reason
    since: datetime


@dataclass(frozen=True)
class Block(Described):
    """A suspended channel or template. One message is sent at `probe_at` to probe it."""

    id: str
    channel: str
    template: str | None
    reason: Reason
    since: datetime
    probe_at: datetime
