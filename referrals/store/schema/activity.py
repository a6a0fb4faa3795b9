"""The activity log."""

from sqlalchemy import JSON, Column, ForeignKey, Index, Table, Text

from referrals.store.schema.base import Instant, Serial, metadata

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
