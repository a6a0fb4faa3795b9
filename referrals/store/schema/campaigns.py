"""Campaigns with their versions, advocates and codes."""

from sqlalchemy import (
    CheckConstraint,
    Column,
    ForeignKey,
    Index,
    Integer,
    Table,
    Text,
    UniqueConstraint,
)

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
    Column("accepted", Integer, CheckConstraint("accepted >= 0", name="accepted"), nullable=False),
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

advocates = Table(
    "advocates",
    metadata,
    Column("id", Text, primary_key=True),
    Column("campaign_id", ForeignKey("campaigns.id"), nullable=False),
    Column("customer_id", ForeignKey("customers.id"), nullable=False, index=True),
    Column(
        "confirmed", Integer, CheckConstraint("confirmed >= 0", name="confirmed"), nullable=False
    ),
    Column("created_at", Instant, nullable=False),
    UniqueConstraint("campaign_id", "customer_id"),
    Index("ix_advocates_list", "campaign_id", "id"),
)

codes = Table(
    "codes",
    metadata,
    Column("code", Text, primary_key=True),
    Column("campaign_id", ForeignKey("campaigns.id"), nullable=False),
    Column("advocate_id", ForeignKey("advocates.id"), index=True),
    # Set where the campaign lets a customer join once: then the advocate has this one code.
    Column("only_code_of", ForeignKey("advocates.id"), unique=True),
    Column("state", Text, one_of("state", ["active", "inactive"]), nullable=False),
    Column("uses", Integer, CheckConstraint("uses >= 0", name="uses"), nullable=False),
    Column("uses_limit", Integer),
    Column("starts_at", Instant),
    Column("expires_at", Instant),
    Column("published_at", Instant),
    Column("channel", Text),
    Column("created_at", Instant, nullable=False),
    CheckConstraint("uses_limit IS NULL OR uses <= uses_limit", name="uses_limit"),
    Index("ix_codes_list", "campaign_id", "created_at", "code"),
)
