"""Messages on their way out."""

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
)

from referrals.store.schema.base import Instant, index_where, metadata, one_of


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
    Column("token", Text, unique=True, default=_token),
    # A pending message waits until then; the reason says for what.
    Column("not_before", Instant),
    Column("channel", Text),
    Column("reference", Text),
    Column("subject", Text),
    Column("text", Text),
    Column("reason_code", Text),
    Column("reason", Text),
    Column("created_at", Instant, nullable=False),
    Column("settled_at", Instant),
    Column("delivered_at", Instant),
    Column("read_at", Instant),
    ForeignKeyConstraint(
        ["campaign_id", "version"], ["campaign_versions.campaign_id", "campaign_versions.version"]
    ),
    # The operator has no consent to withdraw.
    CheckConstraint("customer_id IS NOT NULL OR token IS NULL", name="operator"),
    index_where("ix_messages_pending", "sender_id", where="state = 'pending'"),
    Index("ix_messages_list", "campaign_id", "id"),
    Index("ix_messages_customer", "customer_id"),
)
