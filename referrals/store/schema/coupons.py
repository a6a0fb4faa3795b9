"""Coupon codes."""

from sqlalchemy import (
    JSON,
    CheckConstraint,
    Column,
    ForeignKey,
    Index,
    Table,
    Text,
    UniqueConstraint,
)

from referrals.store.schema.base import Instant, metadata, one_of

coupons = Table(
    "coupons",
    metadata,
    Column("code", Text, primary_key=True),
    Column("campaign_id", ForeignKey("campaigns.id"), nullable=False),
    # Empty where the code was made by a pattern.
    Column("pool", Text),
    Column(
        "state",
        Text,
        one_of("state", ["available", "issued", "redeemed", "void"]),
        nullable=False,
    ),
    Column("reward_id", ForeignKey("rewards.id"), unique=True),
    Column("customer_id", ForeignKey("customers.id")),
    Column("discount", JSON),
    Column("expires_at", Instant),
    # The caller's idempotency key of its redemption.
    Column("redeem_key", Text),
    Column("created_at", Instant, nullable=False),
    Column("issued_at", Instant),
    Column("redeemed_at", Instant),
    Column("voided_at", Instant),
    CheckConstraint("(state = 'available') = (reward_id IS NULL)", name="owner"),
    UniqueConstraint("customer_id", "redeem_key"),
    Index("ix_coupons_pool", "campaign_id", "pool", "state", "code"),
)
