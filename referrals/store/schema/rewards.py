"""Rewards and the rate limits of the providers that grant them."""

from sqlalchemy import (
    JSON,
    BigInteger,
    CheckConstraint,
    Column,
    ForeignKey,
    Index,
    Integer,
    Table,
    Text,
)

from referrals.domain.states import RewardState
from referrals.store.schema.base import Instant, index_where, metadata, one_of, unique_where

rewards = Table(
    "rewards",
    metadata,
    Column("id", Text, primary_key=True),
    Column("key", Text, nullable=False, unique=True),
    Column("campaign_id", ForeignKey("campaigns.id"), nullable=False),
    Column("referral_id", ForeignKey("referrals.id"), index=True),
    Column("milestone_id", ForeignKey("milestones.id")),
    Column("side", Text, one_of("side", ["friend", "advocate"]), nullable=False),
    Column("tier", Text),
    Column("customer_id", ForeignKey("customers.id"), nullable=False, index=True),
    Column("type", Text, one_of("type", ["points", "gift_credit", "coupon"]), nullable=False),
    Column("amount", BigInteger, CheckConstraint("amount > 0", name="amount"), nullable=False),
    Column("currency", Text),
    Column(
        "state",
        Text,
        one_of("state", RewardState),
        nullable=False,
    ),
    Column("due_at", Instant),
    Column("provider", Text, nullable=False, server_default="ledger"),
    # Where it is issued: the provider's objects; in the own ledger the reward's terms.
    Column("target", JSON),
    Column("approved_at", Instant),
    # The provider has taken the last call, and books it when it comes to it.
    Column("accepted_by_provider_at", Instant),
    # When it was called last; empty before the first call of a grant, and of a roll-back.
    Column("last_called_at", Instant),
    # A call may have booked what is not known here; from then on the provider's books show it.
    Column("outcome_unknown_until", Instant),
    Column("reference", Text),
    Column("attempts", Integer, nullable=False, server_default="0"),
    Column("error_code", Text),
    Column("error", Text),
    Column("retry_at", Instant),
    Column("granted_at", Instant),
    Column("expires_at", Instant),
    # When what was left of it then was booked: at `expires_at` or after it.
    Column("expired_at", Instant),
    Column("closed_at", Instant),
    Column("reason", Text),
    Column("created_at", Instant, nullable=False),
    CheckConstraint("(referral_id IS NULL) <> (milestone_id IS NULL)", name="origin"),
    Index("ix_rewards_list", "campaign_id", "created_at", "id"),
    index_where("ix_rewards_milestone", "milestone_id", where="milestone_id IS NOT NULL"),
    # Its tier's own reward; journeys may grant more.
    unique_where(
        "uq_rewards_milestone_tier",
        "milestone_id",
        where="milestone_id IS NOT NULL AND tier IS NOT NULL",
    ),
    index_where(
        "ix_rewards_expiring",
        "expires_at",
        where="expired_at IS NULL AND state = 'granted' AND expires_at IS NOT NULL",
    ),
)

provider_rate_limits = Table(
    "provider_rate_limits",
    metadata,
    Column("provider", Text, primary_key=True),
    # When the next call may begin.
    Column("next_call_at", Instant, nullable=False),
)
