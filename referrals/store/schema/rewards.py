"""Rewards and the rate limits of the providers that grant them."""

from datetime import datetime
from typing import Any, Literal

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    CheckConstraint,
    Computed,
    ForeignKey,
    Index,
    Integer,
    Text,
    UniqueConstraint,
    false,
)

from referrals.domain.failure_causes import FailureCause
from referrals.domain.states import RewardState
from referrals.store.db.columns import Columns, Field, TableRow
from referrals.store.schema.base import Instant, column, index_where, one_of, table, unique_where


class RewardRow(TableRow):
    """A reward of a friend or an advocate, with the state of its grant at the provider."""

    id: Field[str] = column(Text, primary_key=True)
    origin: Field[str] = column(
        Text, unique=True, doc="Idempotency key of the decision that created the reward."
    )
    key_prefix: Field[str] = column(
        Text,
        doc="Campaign, `customers.reward_subject` and name of the reward: its key without the occurrence.",
    )
    occurrence: Field[int] = column(Integer)
    key: Field[str] = column(
        Text,
        Computed("key_prefix || '/' || CAST(occurrence AS TEXT)", persisted=True),
        doc="The provider's idempotency key. Follows from facts: equal after a restore of the database.",
    )
    campaign_id: Field[str] = column(Text, ForeignKey("campaigns.id"))
    referral_id: Field[str | None] = column(Text, ForeignKey("referrals.id"), index=True)
    milestone_id: Field[str | None] = column(Text, ForeignKey("milestones.id"))
    side: Field[str] = column(Text, one_of("side", ["friend", "advocate"]))
    tier: Field[str | None] = column(Text)
    customer_id: Field[str] = column(Text, ForeignKey("customers.id"), index=True)
    issued_to: Field[str | None] = column(
        Text,
        ForeignKey("customers.id"),
        doc="The customer as whom the provider knows the owner, if a merge has changed the owner since.",
    )
    type: Field[Literal["points", "gift_credit", "coupon"]] = column(
        Text, one_of("type", ["points", "gift_credit", "coupon"])
    )
    amount: Field[int] = column(BigInteger, CheckConstraint("amount > 0", name="amount"))
    currency: Field[str | None] = column(Text)
    repaid: Field[int | None] = column(
        BigInteger,
        CheckConstraint("repaid BETWEEN 0 AND amount", name="repaid"),
        doc="Part of the amount that repaid what the customer owed. An external provider grants the rest; NULL until"
        " that is fixed, before the first call.",
    )
    state: Field[str] = column(Text, one_of("state", RewardState))
    due_at: Field[datetime | None] = column(Instant)
    provider: Field[str] = column(Text, server_default="ledger")
    target: Field[dict[str, Any] | None] = column(
        JSON, doc="The provider's objects to use; for the built-in ledger, the terms of the reward."
    )
    approval: Field[str | None] = column(
        Text,
        one_of("approval", ["awaited", "given"]),
        doc="`awaited` until an operator approves it; NULL if its campaign does not require that.",
    )
    approved_at: Field[datetime | None] = column(Instant)
    accepted_by_provider_at: Field[datetime | None] = column(
        Instant,
        doc="Time at which the provider accepted the last request asynchronously; NULL when it is booked.",
    )
    last_called_at: Field[datetime | None] = column(
        Instant,
        doc="Time of the last call; NULL before the first call of a grant and of a roll-back.",
    )
    outcome_unknown_until: Field[datetime | None] = column(
        Instant,
        doc="A call may have been booked; until then the provider's books may not show it yet.",
    )
    reference: Field[str | None] = column(Text)
    attempts: Field[int] = column(Integer, server_default="0")
    error_code: Field[str | None] = column(Text)
    error: Field[str | None] = column(Text)
    failure_cause: Field[str | None] = column(
        Text,
        one_of("failure_cause", FailureCause),
        doc="What an operator has to correct: see `referrals.domain.failure_causes`.",
    )
    retry_at: Field[datetime | None] = column(Instant)
    turn_at: Field[datetime | None] = column(
        Instant,
        doc="Reserved turn in the queue of the provider's calls; NULL when none is reserved.",
    )
    granted_at: Field[datetime | None] = column(Instant)
    expires_at: Field[datetime | None] = column(Instant)
    expired_at: Field[datetime | None] = column(
        Instant, doc="Time at which the unspent rest was booked as expired: `expires_at` or later."
    )
    closed_at: Field[datetime | None] = column(Instant)
    undone_with_referral: Field[bool] = column(
        Boolean,
        server_default=false(),
        doc="Undone by the roll-back of its referral, whose reinstatement grants it anew.",
    )
    reason: Field[str | None] = column(Text)
    created_at: Field[datetime] = column(Instant)


class RewardColumns(RewardRow, Columns[RewardRow]): ...


rewards = table(
    "rewards",
    RewardColumns,
    UniqueConstraint("key_prefix", "occurrence"),
    CheckConstraint("(referral_id IS NULL) <> (milestone_id IS NULL)", name="origin"),
    Index("ix_rewards_list", "campaign_id", "created_at", "id"),
    index_where("ix_rewards_milestone", "milestone_id", where="milestone_id IS NOT NULL"),
    # The reward of the tier; journeys may grant more.
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
    index_where("ix_rewards_failed", "failure_cause", where="state = 'failed'"),
    index_where(
        "ix_rewards_to_approve",
        "campaign_id",
        "created_at",
        "id",
        where="state = 'pending' AND approval = 'awaited'",
    ),
)


class ProviderRateLimitRow(TableRow):
    """The queue of the calls to a provider with a rate limit."""

    provider: Field[str] = column(Text, primary_key=True)
    next_call_at: Field[datetime] = column(
        Instant,
        doc="Time from which the pace allows the next call, after the requests made so far.",
    )
    next_turn_at: Field[datetime] = column(
        Instant, doc="First free turn of calls that have to wait; past if none waits."
    )


class ProviderRateLimitColumns(ProviderRateLimitRow, Columns[ProviderRateLimitRow]): ...


provider_rate_limits = table("provider_rate_limits", ProviderRateLimitColumns)
