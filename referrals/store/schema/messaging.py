"""Messages, their deliveries by channel, and what stops them."""

from datetime import datetime
from secrets import token_urlsafe
from typing import Any

from sqlalchemy import (
    JSON,
    CheckConstraint,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    Text,
    UniqueConstraint,
)

from referrals.store.db.columns import Columns, Field, TableRow
from referrals.store.schema.base import Instant, Serial, column, index_where, one_of, table


def _token(context: Any) -> str | None:
    return token_urlsafe(24) if context.get_current_parameters()["customer_id"] else None


class MessageRow(TableRow):
    """A message to a customer or to the operator, with its state across channels."""

    id: Field[str] = column(Text, primary_key=True)
    key: Field[str] = column(Text, unique=True)
    campaign_id: Field[str] = column(Text)
    version: Field[int] = column(Integer)
    journey: Field[str] = column(Text)
    event: Field[str] = column(Text)
    template: Field[str] = column(Text)
    channels: Field[list[str]] = column(JSON)
    customer_id: Field[str | None] = column(
        Text, ForeignKey("customers.id"), doc="NULL if the operator receives it."
    )
    advocate_id: Field[str] = column(Text, ForeignKey("advocates.id"))
    referral_id: Field[str | None] = column(Text, ForeignKey("referrals.id"))
    milestone_id: Field[str | None] = column(Text, ForeignKey("milestones.id"))
    reward_id: Field[str | None] = column(Text, ForeignKey("rewards.id"))
    sender_id: Field[str] = column(
        Text, doc="The workflow that sends it: of a referral or an advocate."
    )
    state: Field[str] = column(
        Text, one_of("state", ["pending", "sent", "delivered", "read", "failed"])
    )
    purpose: Field[str | None] = column(Text)
    unsubscribe_token: Field[str | None] = column(
        Text, unique=True, default=_token, doc="Secret of the unsubscribe link in the message."
    )
    not_before: Field[datetime | None] = column(
        Instant, doc="A pending message waits until then, for the given reason."
    )
    channel: Field[str | None] = column(Text)
    reference: Field[str | None] = column(Text)
    subject: Field[str | None] = column(Text)
    text: Field[str | None] = column(Text)
    reason_code: Field[str | None] = column(Text)
    reason: Field[str | None] = column(Text)
    created_at: Field[datetime] = column(Instant)
    completed_at: Field[datetime | None] = column(Instant)
    delivered_at: Field[datetime | None] = column(Instant)
    read_at: Field[datetime | None] = column(Instant)


class MessageColumns(MessageRow, Columns[MessageRow]): ...


messages = table(
    "messages",
    MessageColumns,
    ForeignKeyConstraint(
        ["campaign_id", "version"], ["campaign_versions.campaign_id", "campaign_versions.version"]
    ),
    # The operator has no consent to withdraw.
    CheckConstraint("customer_id IS NOT NULL OR unsubscribe_token IS NULL", name="operator"),
    index_where("ix_messages_pending", "sender_id", where="state = 'pending'"),
    Index("ix_messages_list", "campaign_id", "id"),
    Index("ix_messages_customer", "customer_id"),
)


class MessageDeliveryRow(TableRow):
    """The attempts to deliver a message by one channel."""

    id: Field[int] = column(Serial, primary_key=True)
    message_id: Field[str] = column(Text, ForeignKey("messages.id"))
    channel: Field[str] = column(Text)
    state: Field[str] = column(
        Text,
        one_of(
            "state",
            ["retryable", "sending", "outcome_unknown", "sent", "delivered", "read", "failed"],
        ),
    )
    attempt: Field[int] = column(
        Integer, doc="Number of the attempt. Results of earlier attempts are ignored."
    )
    claimed_at: Field[datetime] = column(Instant)
    outcome_unknown_at: Field[datetime | None] = column(
        Instant, doc="Time of the latest earlier attempt whose outcome is unknown."
    )
    address_hash: Field[str | None] = column(Text, doc="Hash of the address, as in `suppressions`.")
    reference: Field[str | None] = column(Text)
    reason_code: Field[str | None] = column(Text)
    reason: Field[str | None] = column(Text)


class MessageDeliveryColumns(MessageDeliveryRow, Columns[MessageDeliveryRow]): ...


message_deliveries = table(
    "message_deliveries",
    MessageDeliveryColumns,
    UniqueConstraint("message_id", "channel"),
    Index("ix_message_deliveries_reference", "channel", "reference"),
)


class SuppressionRow(TableRow):
    """An address that a channel cannot reach. No messages are sent to it."""

    id: Field[int] = column(Serial, primary_key=True)
    customer_id: Field[str] = column(Text, ForeignKey("customers.id"))
    channel: Field[str] = column(Text)
    address_hash: Field[str] = column(
        Text, doc="Hash of the address. Another address of the customer is not suppressed."
    )
    reason_code: Field[str] = column(Text)
    reason: Field[str] = column(Text)
    since: Field[datetime] = column(Instant)


class SuppressionColumns(SuppressionRow, Columns[SuppressionRow]): ...


suppressions = table(
    "suppressions",
    SuppressionColumns,
    UniqueConstraint("customer_id", "channel", "address_hash"),
)


class ChannelSuspensionRow(TableRow):
    """A channel, or one of its templates, that is suspended until an operator fixes the cause."""

    id: Field[int] = column(Serial, primary_key=True)
    channel: Field[str] = column(Text)
    template: Field[str] = column(Text, doc="Empty if the whole channel is suspended.")
    code: Field[str] = column(Text)
    message: Field[str] = column(Text)
    since: Field[datetime] = column(Instant)
    probe_at: Field[datetime] = column(
        Instant, doc="Time from which one message may be sent to probe the channel."
    )


class ChannelSuspensionColumns(ChannelSuspensionRow, Columns[ChannelSuspensionRow]): ...


channel_suspensions = table(
    "channel_suspensions",
    ChannelSuspensionColumns,
    UniqueConstraint("channel", "template"),
)
