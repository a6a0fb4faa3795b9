"""Rewards as lists and pages show them."""

from datetime import datetime
from functools import partial
from typing import Any

from sqlalchemy import ColumnElement, Select, select

from referrals.domain.states import ReferralState, RewardState
from referrals.errors import UnknownRewardError
from referrals.store import views
from referrals.store.campaigns.versions import require_campaign
from referrals.store.customers import survivors
from referrals.store.db.columns import required
from referrals.store.db.pages import Cursor, newest_first
from referrals.store.db.sql import Tx, first_of, literal_in
from referrals.store.reporting.lists import match_filters
from referrals.store.rewards.coupons import POOL_EMPTY
from referrals.store.rewards.reward_rows import amount_text
from referrals.store.schema import RewardRow, customers, referrals, rewards
from referrals.store.views import Page

AWAITING_APPROVAL = literal_in(rewards.c.state, RewardState.PENDING) & literal_in(
    rewards.c.approval, "awaited"
)
"""Rewards that an operator has not approved yet, also before they are due."""


class ListedReward(RewardRow):
    """A row of `select_rewards`, with the caller's id of the customer and the state of the referral, if it has one."""

    customer: str
    referral_state: str | None


def select_rewards() -> Select[*tuple[Any, ...]]:
    return (
        select(
            rewards,
            customers.c.external_id.label("customer"),
            referrals.c.state.label("referral_state"),
        )
        .join(customers, customers.c.id == rewards.c.customer_id)
        .outerjoin(referrals, referrals.c.id == rewards.c.referral_id)
    )


def to_reward_view(row: ListedReward, *, now: datetime) -> views.Reward:
    return views.Reward(
        id=row.id,
        campaign=row.campaign_id,
        referral=row.referral_id,
        milestone=row.milestone_id,
        customer=row.customer,
        side=row.side,
        tier=row.tier,
        type=row.type,
        amount=amount_text(row.amount, row.currency),
        repaid=amount_text(row.repaid or 0, row.currency),
        currency=row.currency,
        state=row.state,
        due_at=row.due_at,
        granted_at=row.granted_at,
        expires_at=row.expires_at,
        closed_at=row.closed_at,
        reason=row.reason,
        key=row.key,
        provider=row.provider,
        reference=row.reference,
        attempts=row.attempts,
        error=f"{row.error_code}: {row.error}" if row.error else None,
        cause=row.failure_cause,
        next_step=_next_step(row, now),
        created_at=row.created_at,
    )


def _next_step(row: ListedReward, now: datetime) -> str | None:
    """Describe, for people, what happens next to a reward that is not closed."""
    if row.state == RewardState.FAILED and row.error_code == POOL_EMPTY:
        return f"waits for coupons in the pool {(row.target or {})['pool']}"
    if row.state == RewardState.FAILED:
        return "waits for an operator: retry or void it"
    if row.turn_at:
        return f"waits for its turn at {row.turn_at:%Y-%m-%d %H:%M:%S} UTC"
    if row.state == RewardState.PENDING:
        return _next_step_of_pending(row, now)
    if row.state in (RewardState.GRANTING, RewardState.ROLLING_BACK):
        return f"retried at {row.retry_at:%Y-%m-%d %H:%M:%S} UTC" if row.retry_at else "under way"
    return None


def _next_step_of_pending(row: ListedReward, now: datetime) -> str:
    is_later, needs_approval = required(row.due_at) > now, row.approval == "awaited"
    if is_later:
        then = ", then waits for approval" if needs_approval else ""
        return f"due {row.due_at:%Y-%m-%d %H:%M} UTC{then}"
    if row.referral_state == ReferralState.IN_REVIEW:
        return "waits for the review of its referral"
    return "waits for approval: approve or void it" if needs_approval else "due now"


async def get_reward(tx: Tx, reward_id: str, now: datetime) -> views.Reward:
    statement = select_rewards().where(rewards.c.id == reward_id)
    row = await first_of(tx, ListedReward, statement)
    if row is None:
        raise UnknownRewardError(reward_id)
    return to_reward_view(row, now=now)


async def list_rewards(
    tx: Tx,
    campaign_id: str,
    cursor: Cursor,
    now: datetime,
    *,
    state: str | None = None,
    customer: str | None = None,
    provider: str | None = None,
    side: str | None = None,
    error: str | None = None,
    cause: str | None = None,
    awaiting_approval: bool = False,
) -> Page[views.Reward]:
    """List rewards, newest first.

    `error` is the code before the colon in a reward's `error`. `awaiting_approval` are only those that are due and
    wait for an operator.
    """
    await require_campaign(tx, campaign_id)
    filters: dict[ColumnElement[Any], Any] = {
        rewards.c.state: state,
        customers.c.id: customer and survivors.id_of(customer),
        rewards.c.provider: provider,
        rewards.c.side: side,
        rewards.c.error_code: error,
        rewards.c.failure_cause: cause,
    }
    statement = select_rewards().where(
        rewards.c.campaign_id == campaign_id, *match_filters(filters)
    )
    if awaiting_approval:
        statement = statement.where(AWAITING_APPROVAL, rewards.c.due_at <= now)
    order = (rewards.c.created_at, rewards.c.id)
    return await newest_first(tx, statement, order, cursor, partial(to_reward_view, now=now))
