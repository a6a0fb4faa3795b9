"""Referrals, the orders they refer to, and the milestones that they add up to."""

from datetime import datetime
from typing import Any

from sqlalchemy import (
    JSON,
    Boolean,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    Text,
    UniqueConstraint,
    text,
)

from referrals.domain.states import CLOSED_WITHOUT_CONVERSION, ReferralState
from referrals.store.db.columns import Columns, Field, TableRow
from referrals.store.schema.base import Instant, column, one_of, quoted, table, unique_where

_LIVE = f"state NOT IN ({quoted(CLOSED_WITHOUT_CONVERSION)})"
_FRIEND_REFERRED = f"{_LIVE} AND superseded_by IS NULL"
LIVE = text(f"referrals.{_LIVE}")
"""Written as in the keys, so that both databases look the rows up by them."""
FRIEND_REFERRED = text(f"referrals.{_LIVE} AND referrals.superseded_by IS NULL")
"""Selects the live referral of a friend. Others of the friend were superseded by it in a merge of customers."""


class OrderRow(TableRow):
    """An order that events refer to, with its refunds."""

    id: Field[str] = column(Text, primary_key=True)
    refunds: Field[list[str | None]] = column(
        JSON,
        doc="Amounts as received; null for a full refund. A refund may arrive before its order.",
    )
    cancelled: Field[bool] = column(Boolean)


class OrderColumns(OrderRow, Columns[OrderRow]): ...


orders = table("orders", OrderColumns)


class ReferralRow(TableRow):
    """A friend who was referred by an advocate, from sign-up or conversion to reward."""

    id: Field[str] = column(Text, primary_key=True)
    campaign_id: Field[str] = column(Text)
    version: Field[int] = column(Integer)
    advocate_id: Field[str] = column(Text, ForeignKey("advocates.id"))
    friend_id: Field[str] = column(Text, ForeignKey("customers.id"), index=True)
    workflow_id: Field[str] = column(
        Text, index=True, doc="The workflow that it started under; a merge of the friend keeps it."
    )
    code: Field[str] = column(Text, ForeignKey("codes.code"))
    state: Field[str] = column(Text, one_of("state", ReferralState))
    order_id: Field[str | None] = column(Text, ForeignKey("orders.id"), index=True)
    order_snapshot: Field[dict[str, Any] | None] = column(JSON)
    event_data: Field[dict[str, Any] | None] = column(JSON)
    left_out: Field[list[str] | None] = column(
        JSON,
        doc="Paths of the conversion's fields that could not be understood. Rules that read them do not decide.",
    )
    signed_up_at: Field[datetime | None] = column(Instant)
    window_ends_at: Field[datetime | None] = column(Instant)
    converted_at: Field[datetime | None] = column(Instant)
    rewardable_at: Field[datetime | None] = column(
        Instant, doc="Time at which the advocate's rewards are due: the end of hold and cooldown."
    )
    due_at: Field[datetime | None] = column(
        Instant, doc="End of the hold. The friend's reward is due, and the conversion is confirmed."
    )
    confirmed_at: Field[datetime | None] = column(Instant)
    closed_at: Field[datetime | None] = column(Instant)
    reason_code: Field[str | None] = column(Text)
    reason: Field[str | None] = column(Text)
    superseded_by: Field[str | None] = column(
        Text,
        ForeignKey("referrals.id"),
        doc="The referral that a merge of customers left in force; this one was confirmed and keeps what it paid.",
    )
    created_at: Field[datetime] = column(Instant)
    click_id: Field[str | None] = column(
        Text, doc="Not a foreign key: the friend may convert before the click is stored."
    )


class ReferralColumns(ReferralRow, Columns[ReferralRow]): ...


referrals = table(
    "referrals",
    ReferralColumns,
    ForeignKeyConstraint(
        ["campaign_id", "version"], ["campaign_versions.campaign_id", "campaign_versions.version"]
    ),
    # A friend converts at most once per campaign, and so does an order.
    unique_where("uq_referrals_friend", "campaign_id", "friend_id", where=_FRIEND_REFERRED),
    unique_where("uq_referrals_order", "campaign_id", "order_id", where=_LIVE),
    # A click refers one friend.
    unique_where("uq_referrals_click", "click_id", "code", where=_LIVE),
    Index("ix_referrals_limits", "advocate_id", "rewardable_at"),
    Index("ix_referrals_list", "campaign_id", "id"),
)


class MilestoneRow(TableRow):
    """A tier that an advocate reached by a number of confirmed conversions."""

    id: Field[str] = column(Text, primary_key=True)
    advocate_id: Field[str] = column(Text, ForeignKey("advocates.id"))
    tier: Field[str] = column(Text, doc="Identity of the tier: its first name.")
    name: Field[str] = column(Text, doc="Name of the tier when it was reached.")
    version: Field[int] = column(
        Integer, doc="Version of the campaign in force when it was reached."
    )
    threshold: Field[int] = column(Integer)
    occurrence: Field[int] = column(Integer)
    state: Field[str] = column(Text, one_of("state", ["reached", "lost"]))
    reached_at: Field[datetime] = column(Instant)
    reached_by: Field[str] = column(Text, ForeignKey("referrals.id"), index=True)
    lost_at: Field[datetime | None] = column(Instant)
    lost_by: Field[str | None] = column(Text, ForeignKey("referrals.id"), index=True)
    duplicate_of: Field[str | None] = column(
        Text,
        ForeignKey("milestones.id"),
        doc="The advocate's own milestone of the tier, if a merge of customers added this one.",
    )


class MilestoneColumns(MilestoneRow, Columns[MilestoneRow]): ...


milestones = table(
    "milestones",
    MilestoneColumns,
    UniqueConstraint("advocate_id", "tier", "occurrence"),
    unique_where(
        "uq_milestones_reached",
        "advocate_id",
        "tier",
        where="state = 'reached' AND duplicate_of IS NULL",
    ),
)
