"""Webhook subscriptions and the deliveries of webhooks."""

from datetime import datetime

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    CheckConstraint,
    ForeignKey,
    Index,
    Integer,
    Text,
    UniqueConstraint,
)

from referrals.store.db.columns import Columns, Field, TableRow
from referrals.store.schema.base import Instant, Serial, column, index_where, one_of, table

DELIVERY_STATES = ("pending", "delivered", "failed", "dropped")


class WebhookRow(TableRow):
    """A webhook subscription and its position in the activity log."""

    id: Field[str] = column(Text, primary_key=True)
    url: Field[str] = column(Text)
    events: Field[list[str] | None] = column(
        JSON(none_as_null=True), doc="Event types that it subscribes to; NULL for all."
    )
    campaign_id: Field[str | None] = column(Text, ForeignKey("campaigns.id"))
    secret: Field[str] = column(Text, doc="Stored in plain text, because signing needs it.")
    old_secret: Field[str | None] = column(Text)
    old_secret_until: Field[datetime | None] = column(Instant)
    enabled: Field[bool] = column(Boolean)
    reason_code: Field[str | None] = column(Text, doc="Why it is disabled.")
    reason: Field[str | None] = column(Text)
    disabled_at: Field[datetime | None] = column(Instant)
    failing_since: Field[datetime | None] = column(
        Instant, doc="Time of the first failure since the last successful delivery."
    )
    last_activity_id: Field[int] = column(
        BigInteger, doc="Deliveries exist for all activities up to this id."
    )
    created_at: Field[datetime] = column(Instant)
    created_by: Field[str] = column(Text)


class WebhookColumns(WebhookRow, Columns[WebhookRow]): ...


webhooks = table(
    "webhooks",
    WebhookColumns,
    CheckConstraint("enabled = (disabled_at IS NULL)", name="disabled"),
)


class WebhookDeliveryRow(TableRow):
    """The delivery of an activity to a webhook, or to the URL of a journey's step."""

    id: Field[int] = column(Serial, primary_key=True)
    webhook_id: Field[str | None] = column(
        Text,
        ForeignKey("webhooks.id"),
        doc="The webhook that receives the activity; NULL for a step of a journey, which has a `key` and a `url`.",
    )
    activity_id: Field[int] = column(Serial, ForeignKey("activity.id"))
    key: Field[str | None] = column(Text, unique=True)
    url: Field[str | None] = column(Text)
    campaign_id: Field[str | None] = column(Text, doc="The campaign that the event is about.")
    type: Field[str] = column(Text)
    subject: Field[str | None] = column(Text, doc="Events of one subject are delivered in order.")
    concurrency_group: Field[str] = column(
        Text, doc="A webhook or a host: its deliveries share a concurrency limit."
    )
    state: Field[str] = column(Text, one_of("state", DELIVERY_STATES))
    attempts: Field[int] = column(Integer)
    due_at: Field[datetime | None] = column(
        Instant,
        doc="Time of the next attempt; during an attempt, the time from which another process may repeat it.",
    )
    status: Field[int | None] = column(Integer)
    error: Field[str | None] = column(Text)
    created_at: Field[datetime] = column(Instant)
    completed_at: Field[datetime | None] = column(Instant)


class WebhookDeliveryColumns(WebhookDeliveryRow, Columns[WebhookDeliveryRow]): ...


webhook_deliveries = table(
    "webhook_deliveries",
    WebhookDeliveryColumns,
    UniqueConstraint("webhook_id", "activity_id"),
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
    index_where("ix_webhook_deliveries_failed", "id", where="state = 'failed'"),
    Index("ix_webhook_deliveries_list", "webhook_id", "id"),
    Index("ix_webhook_deliveries_campaign", "campaign_id", "id"),
)
