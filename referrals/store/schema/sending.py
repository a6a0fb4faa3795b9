"""What is kept of sending: what customers want, what was tried by which channel, and what is held."""

from sqlalchemy import Column, ForeignKey, Index, Integer, Table, Text, UniqueConstraint

from referrals.store.schema.base import Instant, Serial, metadata, one_of

# Append-only: the latest `at` of a customer, channel and purpose is in force.
consents = Table(
    "consents",
    metadata,
    Column("id", Serial, primary_key=True),
    Column("customer_id", ForeignKey("customers.id"), nullable=False),
    Column("channel", Text, one_of("channel", ["email", "whatsapp"]), nullable=False),
    Column("purpose", Text, one_of("purpose", ["service", "marketing"]), nullable=False),
    Column("state", Text, one_of("state", ["given", "withdrawn"]), nullable=False),
    Column(
        "source",
        Text,
        one_of("source", ["list", "api", "link", "whatsapp", "operator"]),
        nullable=False,
    ),
    Column("at", Instant, nullable=False),
    # What is told again is the same.
    UniqueConstraint("customer_id", "channel", "purpose", "state", "source", "at"),
)

suppressions = Table(
    "suppressions",
    metadata,
    Column("id", Serial, primary_key=True),
    Column("customer_id", ForeignKey("customers.id"), nullable=False),
    Column("channel", Text, nullable=False),
    # Of the address: another one is a new chance.
    Column("digest", Text, nullable=False),
    Column("reason_code", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("since", Instant, nullable=False),
    UniqueConstraint("customer_id", "channel", "digest"),
)

deliveries = Table(
    "deliveries",
    metadata,
    Column("id", Serial, primary_key=True),
    Column("message_id", ForeignKey("messages.id"), nullable=False),
    Column("channel", Text, nullable=False),
    Column(
        "state",
        Text,
        one_of("state", ["open", "trying", "unclear", "sent", "delivered", "read", "failed"]),
        nullable=False,
    ),
    # Counts the claims: what an earlier one finds out too late does not count.
    Column("attempt", Integer, nullable=False),
    Column("claimed_at", Instant, nullable=False),
    # When the latest of the attempts was claimed whose end was unclear when another took over.
    Column("unclear_at", Instant),
    # Of the address, as in `suppressions`.
    Column("digest", Text),
    Column("reference", Text),
    Column("reason_code", Text),
    Column("reason", Text),
    UniqueConstraint("message_id", "channel"),
    Index("ix_deliveries_reference", "channel", "reference"),
)

blocks = Table(
    "blocks",
    metadata,
    Column("id", Serial, primary_key=True),
    Column("channel", Text, nullable=False),
    # Empty where all that goes by the channel is held.
    Column("template", Text, nullable=False),
    Column("code", Text, nullable=False),
    Column("sentence", Text, nullable=False),
    Column("since", Instant, nullable=False),
    # When one message may try.
    Column("probe_at", Instant, nullable=False),
    UniqueConstraint("channel", "template"),
)
