"""Refused requests."""

from datetime import datetime

from sqlalchemy import Index, Integer, Text, UniqueConstraint

from referrals.store.db.columns import Columns, Field, TableRow
from referrals.store.schema.base import Instant, Serial, column, table


class RefusalRow(TableRow):
    """Requests of one day, with a valid key, that were refused for one reason."""

    id: Field[int] = column(Serial, primary_key=True)
    day: Field[datetime] = column(Instant)
    caller: Field[str] = column(Text, doc="Name of the API key.")
    source: Field[str] = column(Text, doc="Source of the event; empty for other requests.")
    type: Field[str] = column(Text, doc="Problem type.")
    status: Field[int] = column(Integer)
    field: Field[str] = column(Text, doc="First field at fault; empty if none is.")
    count: Field[int] = column(Integer)
    last_at: Field[datetime] = column(Instant)


class RefusalColumns(RefusalRow, Columns[RefusalRow]): ...


refusals = table(
    "refusals",
    RefusalColumns,
    UniqueConstraint("day", "caller", "source", "type", "status", "field"),
    Index("ix_refusals_list", "last_at", "id"),
)
