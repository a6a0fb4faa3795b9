"""Events that were received."""

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, ForeignKey, Index, Integer, Text, UniqueConstraint

from referrals.store.db.columns import Columns, Field, TableRow
from referrals.store.schema.base import Instant, column, index_where, one_of, table


class InboxEventRow(TableRow):
    """An event or command that was received, with its state and its response."""

    id: Field[str] = column(Text, primary_key=True)
    external_id: Field[str] = column(Text)
    source: Field[str] = column(Text)
    type: Field[str] = column(Text)
    occurred_at: Field[datetime | None] = column(Instant, doc="Time that the event names.")
    effective_at: Field[datetime | None] = column(
        Instant, doc="This time within its bounds: windows and holds count from it."
    )
    received_at: Field[datetime] = column(Instant)
    actor: Field[str] = column(Text)
    campaign_id: Field[str | None] = column(Text, ForeignKey("campaigns.id"))
    customer_id: Field[str | None] = column(Text, ForeignKey("customers.id"))
    data: Field[dict[str, Any]] = column(JSON)
    warnings: Field[list[dict[str, str]]] = column(
        JSON, default=list, doc="What could not be understood: field and message."
    )
    left_out: Field[list[str]] = column(
        JSON,
        default=list,
        doc="Paths, as in conditions, of fields that the event did not keep.",
    )
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
    UniqueConstraint("source", "external_id"),
    index_where("ix_inbox_events_open", "id", where="state IN ('received', 'queued')"),
    Index("ix_inbox_events_customer", "customer_id", "id"),
)
