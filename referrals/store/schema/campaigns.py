"""Campaigns and their versions."""

from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey, Integer, Text

from referrals.store.db.columns import Columns, Field, TableRow
from referrals.store.schema.base import Instant, column, one_of, table


class CampaignRow(TableRow):
    """A campaign with its current version and the number of accepted conversions."""

    id: Field[str] = column(Text, primary_key=True)
    name: Field[str] = column(Text)
    state: Field[str] = column(Text, one_of("state", ["running", "paused", "archived"]))
    version: Field[int] = column(Integer)
    conversion_event: Field[str] = column(Text, index=True)
    publish_on: Field[str | None] = column(Text)
    accepted_count: Field[int] = column(
        Integer, CheckConstraint("accepted_count >= 0", name="accepted_count")
    )
    created_at: Field[datetime] = column(Instant)


class CampaignColumns(CampaignRow, Columns[CampaignRow]): ...


campaigns = table("campaigns", CampaignColumns)


class CampaignVersionRow(TableRow):
    """An applied version of a campaign file. Append-only, except that a deleted campaign takes its versions along."""

    campaign_id: Field[str] = column(
        Text, ForeignKey("campaigns.id", ondelete="CASCADE"), primary_key=True
    )
    version: Field[int] = column(Integer, primary_key=True)
    definition: Field[str] = column(
        Text, doc="The campaign as JSON text, so that equal definitions are parsed once."
    )
    applied_at: Field[datetime] = column(Instant)
    applied_by: Field[str] = column(Text)


class CampaignVersionColumns(CampaignVersionRow, Columns[CampaignVersionRow]): ...


campaign_versions = table("campaign_versions", CampaignVersionColumns)
