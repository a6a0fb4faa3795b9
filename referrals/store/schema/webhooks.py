"""Webhook subscriptions and the deliveries of webhooks."""

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    ForeignKey,
    Index,
    Integer,
    Table,
    Text,
    UniqueConstraint,
)

from referrals.store.schema.base import Instant, Serial, index_where, metadata, one_of

webhooks = Table(
    "webhooks",
    metadata,
    Column("id", Text, primary_key=True),
    Column("url", Text, nullable=False),
    # The types that are subscribed to; NULL is all.
    Column("events", JSON(none_as_null=True)),
    Column("campaign_id", ForeignKey("campaigns.id")),
    # Secrets are kept as they are: signing needs them.
    Column("secret", Text, nullable=False),
    Column("old_secret", Text),
    Column("old_secret_until", Instant),
    Column("enabled", Boolean, nullable=False),
    # Why it is not.
    Column("reason_code", Text),
    Column("reason", Text),
    Column("disabled_at", Instant),
    # Since when nothing was accepted.
    Column("failing_since", Instant),
    # The id in the activity log up to which deliveries were made.
    Column("last_activity_id", BigInteger, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("created_by", Text, nullable=False),
    CheckConstraint("enabled = (disabled_at IS NULL)", name="disabled"),
)

webhook_deliveries = Table(
    "webhook_deliveries",
    metadata,
    Column("id", Serial, primary_key=True),
    # Of what happened, to a webhook; or of an event of its own, once for its key, to a plain address.
    Column("webhook_id", ForeignKey("webhooks.id")),
    Column("activity_id", ForeignKey("activity.id")),
    Column("key", Text, unique=True),
    Column("url", Text),
    Column("event", JSON(none_as_null=True)),
    Column("type", Text, nullable=False),
    # The row whose events arrive in their order.
    Column("subject", Text),
    # What shares its places in flight: a webhook, or a host.
    Column("concurrency_group", Text, nullable=False),
    Column("state", Text, one_of("state", ["pending", "delivered", "failed"]), nullable=False),
    Column("attempts", Integer, nullable=False),
    # The next attempt; while one is made, when another process may make it instead.
    Column("due_at", Instant),
    Column("status", Integer),
    Column("error", Text),
    Column("created_at", Instant, nullable=False),
    Column("completed_at", Instant),
    UniqueConstraint("webhook_id", "activity_id"),
    CheckConstraint("(webhook_id IS NULL) = (activity_id IS NULL)", name="activity"),
    CheckConstraint("(webhook_id IS NULL) = (key IS NOT NULL)", name="key"),
    CheckConstraint("(state = 'pending') = (due_at IS NOT NULL)", name="due"),
    index_where(
        "ix_webhook_deliveries_due", "concurrency_group", "due_at", "id", where="state = 'pending'"
    ),
    index_where(
        "ix_webhook_deliveries_order",
        "webhook_id",
        "subject",
        "activity_id",
        where="state = 'pending'",
    ),
    Index("ix_webhook_deliveries_list", "webhook_id", "id"),
)
