"""Events that were received."""

from sqlalchemy import JSON, Column, ForeignKey, Index, Integer, Table, Text

from referrals.store.schema.base import Instant, index_where, metadata, one_of

inbox_events = Table(
    "inbox_events",
    metadata,
    Column("id", Text, primary_key=True),
    Column("external_id", Text, nullable=False, unique=True),
    Column("source", Text, nullable=False),
    Column("type", Text, nullable=False),
    Column("occurred_at", Instant),
    Column("received_at", Instant, nullable=False),
    Column("actor", Text, nullable=False),
    Column("campaign_id", ForeignKey("campaigns.id")),
    Column("customer_id", ForeignKey("customers.id")),
    Column("data", JSON, nullable=False),
    Column(
        "state",
        Text,
        one_of("state", ["received", "queued", "processed", "failed"]),
        nullable=False,
    ),
    Column("response", JSON),
    Column("attempts", Integer, nullable=False, server_default="0"),
    Column("error", Text),
    # When a queued event is tried again.
    Column("retry_at", Instant),
    index_where("ix_inbox_events_open", "id", where="state IN ('received', 'queued')"),
    Index("ix_inbox_events_customer", "customer_id", "id"),
)
