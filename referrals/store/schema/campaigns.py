"""Campaigns and their versions."""

from sqlalchemy import CheckConstraint, Column, ForeignKey, Integer, Table, Text

from referrals.store.schema.base import Instant, metadata, one_of

campaigns = Table(
    "campaigns",
    metadata,
    Column("id", Text, primary_key=True),
    Column("name", Text, nullable=False),
    Column("state", Text, one_of("state", ["running", "paused", "archived"]), nullable=False),
    Column("version", Integer, nullable=False),
    Column("conversion_event", Text, nullable=False, index=True),
    Column("publish_on", Text),
    Column(
        "accepted_count",
        Integer,
        CheckConstraint("accepted_count >= 0", name="accepted_count"),
        nullable=False,
    ),
    Column("created_at", Instant, nullable=False),
)

campaign_versions = Table(
    "campaign_versions",
    metadata,
    Column("campaign_id", ForeignKey("campaigns.id"), primary_key=True),
    Column("version", Integer, primary_key=True),
    # JSON as text: what is equal is parsed once (see campaigns.py).
    Column("definition", Text, nullable=False),
    Column("applied_at", Instant, nullable=False),
    Column("applied_by", Text, nullable=False),
)
