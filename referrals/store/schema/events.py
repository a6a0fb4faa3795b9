"""What came in, what orders it was about, and the log of all that happened."""

from sqlalchemy import JSON, Boolean, Column, ForeignKey, Index, Integer, Table, Text

from referrals.store.schema.base import Instant, Serial, index_where, metadata, one_of

events = Table(
    "events",
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
    Column("answer", JSON),
    Column("attempts", Integer, nullable=False, server_default="0"),
    Column("error", Text),
    # When a queued event is tried again.
    Column("retry_at", Instant),
    index_where("ix_events_open", "id", where="state IN ('received', 'queued')"),
    Index("ix_events_customer", "customer_id", "id"),
)

orders = Table(
    "orders",
    metadata,
    Column("id", Text, primary_key=True),
    # Amounts as they came, `null` for all of it: a refund may be here before the order and its currency are known.
    Column("refunds", JSON, nullable=False),
    Column("cancelled", Boolean, nullable=False),
)

activity = Table(
    "activity",
    metadata,
    Column("id", Serial, primary_key=True),
    Column("type", Text, nullable=False),
    Column("at", Instant, nullable=False),
    Column("actor", Text, nullable=False),
    Column("campaign_id", ForeignKey("campaigns.id"), nullable=False),
    Column("code", Text),
    Column("advocate_id", ForeignKey("advocates.id")),
    Column("referral_id", ForeignKey("referrals.id")),
    Column("milestone_id", ForeignKey("milestones.id")),
    Column("reward_id", ForeignKey("rewards.id")),
    Column("customer_id", ForeignKey("customers.id")),
    Column("reason_code", Text),
    Column("reason", Text),
    Column("data", JSON, nullable=False),
    Index("ix_activity_campaign", "campaign_id", "id"),
    Index("ix_activity_referral", "referral_id", "id"),
)
