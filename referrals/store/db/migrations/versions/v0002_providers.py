"""Rewards in other ledgers than the own one: where each is issued, and how that goes. And coupons."""

from alembic import op
from sqlalchemy import (
    JSON,
    CheckConstraint,
    Column,
    DateTime,
    ForeignKey,
    Index,
    Integer,
    Text,
    UniqueConstraint,
)

revision = "0002"
down_revision = "0001"

Instant = DateTime(timezone=True)


def upgrade() -> None:
    for column in (
        Column("provider", Text, nullable=False, server_default="ledger"),
        Column("target", JSON),
        Column("approved_at", Instant),
        Column("taken_at", Instant),
        Column("reference", Text),
        Column("attempts", Integer, nullable=False, server_default="0"),
        Column("error_code", Text),
        Column("error", Text),
        Column("retry_at", Instant),
    ):
        op.add_column("rewards", column)
    _coupons()


def _coupons() -> None:
    op.create_table(
        "coupons",
        Column("code", Text, primary_key=True),
        Column("campaign_id", Text, ForeignKey("campaigns.id"), nullable=False),
        Column("pool", Text),
        Column(
            "state",
            Text,
            CheckConstraint("state IN ('available', 'issued', 'redeemed', 'void')", name="state"),
            nullable=False,
        ),
        Column("reward_id", Text, ForeignKey("rewards.id"), unique=True),
        Column("customer_id", Text, ForeignKey("customers.id")),
        Column("discount", JSON),
        Column("expires_at", Instant),
        Column("redeem_key", Text),
        Column("created_at", Instant, nullable=False),
        Column("issued_at", Instant),
        Column("redeemed_at", Instant),
        Column("voided_at", Instant),
        CheckConstraint("(state = 'available') = (reward_id IS NULL)", name="owner"),
        UniqueConstraint("customer_id", "redeem_key"),
        Index("ix_coupons_pool", "campaign_id", "pool", "state", "code"),
    )
