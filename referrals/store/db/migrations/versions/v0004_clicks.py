"""Clicks of the referral link with their channels, and the click that brought a friend."""

from alembic import op
from sqlalchemy import Column, DateTime, ForeignKey, Index, Text, text

revision = "0004"
down_revision = "0003"

Instant = DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "clicks",
        Column("id", Text, primary_key=True),
        Column("campaign_id", Text, ForeignKey("campaigns.id"), nullable=False),
        Column("advocate_id", Text, ForeignKey("advocates.id"), nullable=False),
        Column("code", Text, ForeignKey("codes.code"), nullable=False),
        Column("channel", Text, nullable=False),
        Column("at", Instant, nullable=False),
        Index("ix_clicks_advocate", "advocate_id", "channel"),
        Index("ix_clicks_campaign", "campaign_id", "channel"),
    )
    # Those that were counted before were of the plain link.
    op.execute(
        "INSERT INTO clicks (id, campaign_id, advocate_id, code, channel, at) "
        "SELECT 'clk_' || id, campaign_id, advocate_id, code, 'link', at "
        "FROM activity WHERE type = 'referral_link_clicked'"
    )
    op.add_column("referrals", Column("click_id", Text))
    live = text("state NOT IN ('expired', 'rejected')")
    op.create_index(
        "uq_referrals_click",
        "referrals",
        ["click_id", "code"],
        unique=True,
        sqlite_where=live,
        postgresql_where=live,
    )
