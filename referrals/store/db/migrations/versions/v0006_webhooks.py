"""Webhooks: where events go out to, and every delivery."""

from alembic import op
from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    DateTime,
    ForeignKey,
    Index,
    Integer,
    Text,
    UniqueConstraint,
    text,
)

revision = "0006"
down_revision = "0005"

Instant = DateTime(timezone=True)
Serial = BigInteger().with_variant(Integer, "sqlite")
PENDING = text("state = 'pending'")


def upgrade() -> None:
    op.create_table(
        "webhooks",
        Column("id", Text, primary_key=True),
        Column("url", Text, nullable=False),
        Column("events", JSON),
        Column("campaign_id", Text, ForeignKey("campaigns.id")),
        Column("secret", Text, nullable=False),
        Column("old_secret", Text),
        Column("old_secret_until", Instant),
        Column("enabled", Boolean, nullable=False),
        Column("reason_code", Text),
        Column("reason", Text),
        Column("disabled_at", Instant),
        Column("failing_since", Instant),
        Column("position", BigInteger, nullable=False),
        Column("created_at", Instant, nullable=False),
        Column("created_by", Text, nullable=False),
        CheckConstraint("enabled = (disabled_at IS NULL)", name="disabled"),
    )
    _deliveries()


def _deliveries() -> None:
    op.create_table(
        "webhook_deliveries",
        Column("id", Serial, primary_key=True),
        Column("webhook_id", Text, ForeignKey("webhooks.id")),
        Column("activity_id", Serial, ForeignKey("activity.id")),
        Column("key", Text, unique=True),
        Column("url", Text),
        Column("event", JSON),
        Column("type", Text, nullable=False),
        Column("subject", Text),
        Column("lane", Text, nullable=False),
        Column(
            "state",
            Text,
            CheckConstraint("state IN ('delivered', 'failed', 'pending')", name="state"),
            nullable=False,
        ),
        Column("attempts", Integer, nullable=False),
        Column("due_at", Instant),
        Column("status", Integer),
        Column("error", Text),
        Column("created_at", Instant, nullable=False),
        Column("settled_at", Instant),
        UniqueConstraint("webhook_id", "activity_id"),
        CheckConstraint("(webhook_id IS NULL) = (activity_id IS NULL)", name="activity"),
        CheckConstraint("(webhook_id IS NULL) = (key IS NOT NULL)", name="key"),
        CheckConstraint("(state = 'pending') = (due_at IS NOT NULL)", name="due"),
        Index("ix_webhook_deliveries_list", "webhook_id", "id"),
    )
    for name, columns in (
        ("ix_webhook_deliveries_due", ["lane", "due_at", "id"]),
        ("ix_webhook_deliveries_order", ["webhook_id", "subject", "activity_id"]),
    ):
        op.create_index(
            name, "webhook_deliveries", columns, sqlite_where=PENDING, postgresql_where=PENDING
        )
