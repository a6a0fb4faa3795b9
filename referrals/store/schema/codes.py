"""Advocates, their codes, and how the codes are shared and clicked."""

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

advocates = Table(
    "advocates",
    metadata,
    Column("id", Text, primary_key=True),
    Column("campaign_id", ForeignKey("campaigns.id"), nullable=False),
    Column("customer_id", ForeignKey("customers.id"), nullable=False, index=True),
    Column(
        "confirmed_count",
        Integer,
        CheckConstraint("confirmed_count >= 0", name="confirmed_count"),
        nullable=False,
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
    Column("sole_code_of_advocate_id", ForeignKey("advocates.id"), unique=True),
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

shares = Table(
    "shares",
    metadata,
    Column("event_id", ForeignKey("inbox_events.id"), primary_key=True),
    Column("advocate_id", ForeignKey("advocates.id"), nullable=False),
    Column("code", ForeignKey("codes.code"), nullable=False),
    Column("channel", Text, nullable=False),
    Column("at", Instant, nullable=False),
    Index("ix_shares_advocate", "advocate_id", "channel"),
)

clicks = Table(
    "clicks",
    metadata,
    # It travels with the visitor; nothing else is known of them.
    Column("id", Text, primary_key=True),
    Column("campaign_id", ForeignKey("campaigns.id"), nullable=False),
    Column("advocate_id", ForeignKey("advocates.id"), nullable=False),
    Column("code", ForeignKey("codes.code"), nullable=False),
    Column("channel", Text, nullable=False),
    Column("at", Instant, nullable=False),
    Index("ix_clicks_advocate", "advocate_id", "channel"),
    Index("ix_clicks_campaign", "campaign_id", "channel"),
)
