"""Messages, their deliveries by channel, and what stops them."""

from secrets import token_urlsafe
from typing import Any

from sqlalchemy import (
    JSON,
    CheckConstraint,
    Column,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    Table,
    Text,
    UniqueConstraint,
)

from referrals.store.schema.base import Instant, Serial, index_where, metadata, one_of


def _token(context: Any) -> str | None:
    return token_urlsafe(24) if context.get_current_parameters()["customer_id"] else None


messages = Table(
    "messages",
    metadata,
    Column("id", Text, primary_key=True),
    Column("key", Text, nullable=False, unique=True),
    Column("campaign_id", Text, nullable=False),
    Column("version", Integer, nullable=False),
    Column("journey", Text, nullable=False),
    Column("event", Text, nullable=False),
    Column("template", Text, nullable=False),
    Column("channels", JSON, nullable=False),
    # Null where it is the operator's.
    Column("customer_id", ForeignKey("customers.id")),
    Column("advocate_id", ForeignKey("advocates.id"), nullable=False),
    Column("referral_id", ForeignKey("referrals.id")),
    Column("milestone_id", ForeignKey("milestones.id")),
    Column("reward_id", ForeignKey("rewards.id")),
    # The workflow that sends it: a referral's or an advocate's.
    Column("sender_id", Text, nullable=False),
    Column(
        "state",
        Text,
        one_of("state", ["pending", "sent", "delivered", "read", "failed"]),
        nullable=False,
    ),
    Column("purpose", Text),
    # Of the link that ends such messages; who has it was sent it.
    Column("unsubscribe_token", Text, unique=True, default=_token),
    # A pending message waits until then; the reason says for what.
    Column("not_before", Instant),
    Column("channel", Text),
    Column("reference", Text),
    Column("subject", Text),
    Column("text", Text),
    Column("reason_code", Text),
    Column("reason", Text),
    Column("created_at", Instant, nullable=False),
    Column("completed_at", Instant),
    Column("delivered_at", Instant),
    Column("read_at", Instant),
    ForeignKeyConstraint(
        ["campaign_id", "version"], ["campaign_versions.campaign_id", "campaign_versions.version"]
    ),
    # The operator has no consent to withdraw.
    CheckConstraint("customer_id IS NOT NULL OR unsubscribe_token IS NULL", name="operator"),
    index_where("ix_messages_pending", "sender_id", where="state = 'pending'"),
    Index("ix_messages_list", "campaign_id", "id"),
    Index("ix_messages_customer", "customer_id"),
)

message_deliveries = Table(
    "message_deliveries",
    metadata,
    Column("id", Serial, primary_key=True),
    Column("message_id", ForeignKey("messages.id"), nullable=False),
    Column("channel", Text, nullable=False),
    Column(
        "state",
        Text,
        one_of(
            "state",
            ["retryable", "sending", "outcome_unknown", "sent", "delivered", "read", "failed"],
        ),
        nullable=False,
    ),
    # Counts the claims: what an earlier one finds out too late does not count.
    Column("attempt", Integer, nullable=False),
    Column("claimed_at", Instant, nullable=False),
    # When the latest of the attempts was claimed whose end was unclear when another took over.
    Column("outcome_unknown_at", Instant),
    # Of the address, as in `suppressions`.
    Column("address_hash", Text),
    Column("reference", Text),
    Column("reason_code", Text),
    Column("reason", Text),
    UniqueConstraint("message_id", "channel"),
    Index("ix_message_deliveries_reference", "channel", "reference"),
)

suppressions = Table(
    "suppressions",
    metadata,
    Column("id", Serial, primary_key=True),
    Column("customer_id", ForeignKey("customers.id"), nullable=False),
    Column("channel", Text, nullable=False),
    # Of the address: another one is a new chance.
    Column("address_hash", Text, nullable=False),
    Column("reason_code", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("since", Instant, nullable=False),
    UniqueConstraint("customer_id", "channel", "address_hash"),
)

channel_suspensions = Table(
    "channel_suspensions",
    metadata,
    Column("id", Serial, primary_key=True),
    Column("channel", Text, nullable=False),
    # Empty where all that goes by the channel is held.
    Column("template", Text, nullable=False),
    Column("code", Text, nullable=False),
    Column("message", Text, nullable=False),
    Column("since", Instant, nullable=False),
    # When one message may try.
    Column("probe_at", Instant, nullable=False),
    UniqueConstraint("channel", "template"),
)
