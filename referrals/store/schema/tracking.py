"""Events that journeys send to providers."""

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, ForeignKey, Index, Integer, Text

from referrals.domain.failure_causes import FailureCause
from referrals.store.db.columns import Columns, Field, TableRow
from referrals.store.schema.base import Instant, column, index_where, one_of, table


class TrackedEventRow(TableRow):
    """An event that a journey sends to a provider, whose own rules earn from it."""

    id: Field[str] = column(Text, primary_key=True)
    key: Field[str] = column(Text, unique=True, doc="Sent to the provider, which shows it again.")
    campaign_id: Field[str] = column(Text, ForeignKey("campaigns.id"))
    advocate_id: Field[str] = column(Text, ForeignKey("advocates.id"))
    referral_id: Field[str | None] = column(Text, ForeignKey("referrals.id"))
    customer_id: Field[str] = column(
        Text, ForeignKey("customers.id"), index=True, doc="The customer whose event it is."
    )
    sender_id: Field[str] = column(
        Text, doc="The workflow that sends it: of a referral, an advocate or a journey."
    )
    provider: Field[str] = column(Text)
    event: Field[str] = column(Text, doc="Name of the event at the provider.")
    attributes: Field[dict[str, Any]] = column(JSON)
    state: Field[str] = column(Text, one_of("state", ["pending", "sent", "failed", "dropped"]))
    attempts: Field[int] = column(Integer, server_default="0")
    last_called_at: Field[datetime | None] = column(Instant)
    outcome_unknown_until: Field[datetime | None] = column(
        Instant, doc="A call may have arrived; until then the provider may not show it yet."
    )
    error_code: Field[str | None] = column(Text)
    error: Field[str | None] = column(Text)
    failure_cause: Field[str | None] = column(Text, one_of("failure_cause", FailureCause))
    retry_at: Field[datetime | None] = column(Instant)
    turn_at: Field[datetime | None] = column(
        Instant, doc="Reserved turn in the queue of the provider's calls."
    )
    created_at: Field[datetime] = column(Instant)
    completed_at: Field[datetime | None] = column(Instant)


class TrackedEventColumns(TrackedEventRow, Columns[TrackedEventRow]): ...


tracked_events = table(
    "tracked_events",
    TrackedEventColumns,
    Index("ix_tracked_events_list", "campaign_id", "created_at", "id"),
    index_where("ix_tracked_events_pending", "sender_id", where="state = 'pending'"),
    index_where("ix_tracked_events_failed", "failure_cause", where="state = 'failed'"),
)
