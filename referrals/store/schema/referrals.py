"""Referrals, the orders they refer to, and the milestones that they add up to."""

import re
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
    TextClause,
    UniqueConstraint,
    text,
)

from referrals.domain.states import (
    CLOSED_WITHOUT_CONVERSION,
    UNCONVERTED,
    ReferralState,
)
from referrals.store.db.columns import Columns, Field, TableRow
from referrals.store.schema.base import (
    Instant,
    column,
    index_where,
    one_of,
    quoted,
    table,
    unique_where,
)

_LIVE = f"state NOT IN ({quoted(CLOSED_WITHOUT_CONVERSION)}) AND released_at IS NULL"
_CONVERTED = f"state NOT IN ({quoted(UNCONVERTED)}) AND released_at IS NULL"
_FRIEND_REFERRED = f"{_LIVE} AND superseded_by IS NULL"
_UNKNOWN = "NOT is_known"


def _of_referrals(condition: str, table_name: str = "referrals") -> TextClause:
    """Return the condition with the table's name, as statements with several tables need it."""
    columns = r"(state|released_at|superseded_by)(?= )"
    return text(re.sub(columns, rf"{table_name}.\1", condition))


# Written as in the keys, so that both databases look the rows up by them.
LIVE = _of_referrals(_LIVE)
OTHER_LIVE = _of_referrals(_LIVE, "other_referrals")
"""Selects live referrals among those of the alias `other_referrals`."""
CONVERTED = _of_referrals(_CONVERTED)
FRIEND_REFERRED = _of_referrals(_FRIEND_REFERRED)
"""Selects the live referral of a friend. Others of the friend were superseded by it in a merge of customers."""
UNKNOWN_ORDER = text(_UNKNOWN)


class OrderRow(TableRow):
    """An order that events refer to. Its source and the source's own id identify it."""

    id: Field[str] = column(Text, primary_key=True)
    source: Field[str] = column(Text)
    external_id: Field[str] = column(Text)
    is_known: Field[bool] = column(
        Boolean,
        doc="A conversion has named the order. Events that arrive before it are remembered.",
    )
    state: Field[dict[str, Any]] = column(
        JSON,
        doc="Latest facts and refunds, with their times: `OrderState` in referrals/domain/orders.py.",
    )
    created_at: Field[datetime] = column(Instant)


class OrderColumns(OrderRow, Columns[OrderRow]): ...


orders = table(
    "orders",
    OrderColumns,
    UniqueConstraint("source", "external_id"),
    index_where("ix_orders_unknown", "id", where=_UNKNOWN),
)


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
    rolled_back_from: Field[str | None] = column(
        Text, doc="State before the roll-back, in which a reinstatement goes on."
    )
    released_at: Field[datetime | None] = column(
        Instant,
        doc="Time from which the friend may be referred again: all that was granted has been recovered.",
    )
    reinstated_at: Field[datetime | None] = column(
        Instant,
        doc="Time at which an operator reinstated it; earlier cancellations and refunds do not count.",
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
    unique_where("uq_referrals_order", "campaign_id", "order_id", where=_CONVERTED),
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
