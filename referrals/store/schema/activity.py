"""The activity log."""

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, ForeignKey, Index, Text

from referrals.store.db.columns import Columns, Field, TableRow
from referrals.store.schema.base import Instant, Serial, column, index_where, table


class ActivityRow(TableRow):
    """An entry of the activity log: one thing that happened. Append-only."""

    id: Field[int] = column(Serial, primary_key=True)
    type: Field[str] = column(Text)
    at: Field[datetime] = column(Instant)
    actor: Field[str] = column(Text)
    campaign_id: Field[str | None] = column(Text, doc="Also of a campaign that was deleted.")
    code: Field[str | None] = column(Text)
    advocate_id: Field[str | None] = column(Text, ForeignKey("advocates.id"))
    referral_id: Field[str | None] = column(Text, ForeignKey("referrals.id"))
    milestone_id: Field[str | None] = column(Text, ForeignKey("milestones.id"))
    reward_id: Field[str | None] = column(Text, ForeignKey("rewards.id"))
    customer_id: Field[str | None] = column(Text, ForeignKey("customers.id"))
    reason_code: Field[str | None] = column(Text)
    reason: Field[str | None] = column(Text)
    data: Field[dict[str, Any]] = column(JSON)


class ActivityColumns(ActivityRow, Columns[ActivityRow]): ...


activity = table(
    "activity",
    ActivityColumns,
    Index("ix_activity_campaign", "campaign_id", "id"),
    Index("ix_activity_referral", "referral_id", "id"),
    index_where(
        "ix_activity_rules", "campaign_id", where="reason_code IN ('rule_failed', 'rule_broken')"
    ),
)
