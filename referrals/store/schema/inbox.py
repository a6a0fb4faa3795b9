"""Events that were received."""

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, ForeignKey, Index, Integer, Text

from referrals.store.db.columns import Columns, Field, TableRow
from referrals.store.schema.base import Instant, column, index_where, one_of, table


class InboxEventRow(TableRow):
    """An event or command that was received, with its state and its response."""

    id: Field[str] = column(Text, primary_key=True)
    external_id: Field[str] = column(Text, unique=True)
    source: Field[str] = column(Text)
    type: Field[str] = column(Text)
    occurred_at: Field[datetime | None] = column(Instant)
    received_at: Field[datetime] = column(Instant)
    actor: Field[str] = column(Text)
    campaign_id: Field[str | None] = column(Text, ForeignKey("campaigns.id"))
    customer_id: Field[str | None] = column(Text, ForeignKey("customers.id"))
    data: Field[dict[str, Any]] = column(JSON)
    state: Field[str] = column(Text, one_of("state", ["received", "queued", "processed", "failed"]))
    response: Field[dict[str, Any] | None] = column(JSON)
    attempts: Field[int] = column(Integer, server_default="0")
    error: Field[str | None] = column(Text)
    retry_at: Field[datetime | None] = column(
        Instant, doc="Time of the next attempt to process a queued event."
    )


class InboxEventColumns(InboxEventRow, Columns[InboxEventRow]): ...


inbox_events = table(
    "inbox_events",
    InboxEventColumns,
    index_where("ix_inbox_events_open", "id", where="state IN ('received', 'queued')"),
    Index("ix_inbox_events_customer", "customer_id", "id"),
)
