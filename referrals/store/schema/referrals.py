"""Referrals, the orders they refer to, and the milestones that they add up to."""

from sqlalchemy import (
    JSON,
    Boolean,
    Column,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    Table,
    Text,
    UniqueConstraint,
    text,
)

from referrals.domain.states import CLOSED_WITHOUT_CONVERSION, ReferralState
from referrals.store.schema.base import Instant, metadata, one_of, quoted, unique_where

_LIVE = f"state NOT IN ({quoted(CLOSED_WITHOUT_CONVERSION)})"
LIVE = text(f"referrals.{_LIVE}")
"""Written as in the keys, so that both databases look the rows up by them."""

orders = Table(
    "orders",
    metadata,
    Column("id", Text, primary_key=True),
    # Amounts as they came, `null` for all of it: a refund may be here before the order and its currency are known.
    Column("refunds", JSON, nullable=False),
    Column("cancelled", Boolean, nullable=False),
)

referrals = Table(
    "referrals",
    metadata,
    Column("id", Text, primary_key=True),
    Column("campaign_id", Text, nullable=False),
    Column("version", Integer, nullable=False),
    Column("advocate_id", ForeignKey("advocates.id"), nullable=False),
    Column("friend_id", ForeignKey("customers.id"), nullable=False, index=True),
    Column("code", ForeignKey("codes.code"), nullable=False),
    Column(
        "state",
        Text,
        one_of("state", ReferralState),
        nullable=False,
    ),
    Column("order_id", ForeignKey("orders.id"), index=True),
    Column("order_snapshot", JSON),
    Column("event_data", JSON),
    Column("signed_up_at", Instant),
    Column("window_ends_at", Instant),
    Column("converted_at", Instant),
    Column("rewardable_at", Instant),
    Column("due_at", Instant),
    Column("confirmed_at", Instant),
    Column("closed_at", Instant),
    Column("reason_code", Text),
    Column("reason", Text),
    Column("created_at", Instant, nullable=False),
    # No foreign key: the friend may be quicker than the counting of the click.
    Column("click_id", Text),
    ForeignKeyConstraint(
        ["campaign_id", "version"], ["campaign_versions.campaign_id", "campaign_versions.version"]
    ),
    # A friend converts at most once per campaign, for ever; so does an order.
    unique_where("uq_referrals_friend", "campaign_id", "friend_id", where=_LIVE),
    unique_where("uq_referrals_order", "campaign_id", "order_id", where=_LIVE),
    # A click brings one friend.
    unique_where("uq_referrals_click", "click_id", "code", where=_LIVE),
    Index("ix_referrals_limits", "advocate_id", "rewardable_at"),
    Index("ix_referrals_list", "campaign_id", "id"),
)

milestones = Table(
    "milestones",
    metadata,
    Column("id", Text, primary_key=True),
    Column("advocate_id", ForeignKey("advocates.id"), nullable=False),
    Column("tier", Text, nullable=False),
    Column("threshold", Integer, nullable=False),
    Column("occurrence", Integer, nullable=False),
    Column("state", Text, one_of("state", ["reached", "lost"]), nullable=False),
    Column("reached_at", Instant, nullable=False),
    Column("reached_by", ForeignKey("referrals.id"), nullable=False, index=True),
    Column("lost_at", Instant),
    Column("lost_by", ForeignKey("referrals.id"), index=True),
    UniqueConstraint("advocate_id", "tier", "occurrence"),
    unique_where("uq_milestones_reached", "advocate_id", "tier", where="state = 'reached'"),
)
