"""Budgets: the rewards that a campaign has created and not returned, compared with its limits. The campaign is locked."""

from collections.abc import Iterable
from datetime import datetime

from sqlalchemy import ColumnElement, func, select

from referrals.domain.campaign import Budget
from referrals.domain.rewards import Asset, Reward
from referrals.domain.states import RewardState
from referrals.store.db.sql import Tx, locked, one
from referrals.store.schema import campaigns, rewards

RETURNED_STATES = (RewardState.VOIDED, RewardState.ROLLED_BACK)


async def fits(
    tx: Tx, campaign_id: str, budget: Budget, more: Iterable[Reward], at: datetime
) -> bool:
    """Check whether the budget has room for `more` rewards besides those created in its period before `at`."""
    new = list(more)
    await one(tx, locked(select(campaigns.c.id).where(campaigns.c.id == campaign_id)))
    for asset in {reward.asset for reward in new if reward.type != "coupon"}:
        limit = budget.limit_of(asset.currency)
        amount = sum(reward.minor for reward in new if reward.asset == asset)
        if limit is not None and await _given(tx, campaign_id, budget, asset, at) + amount > limit:
            return False
    if budget.rewards is None:
        return True
    return await _count(tx, campaign_id, budget, at) + len(new) <= budget.rewards


async def _given(tx: Tx, campaign_id: str, budget: Budget, asset: Asset, at: datetime) -> int:
    statement = select(func.coalesce(func.sum(rewards.c.amount), 0)).where(
        *_counted(campaign_id, budget, at),
        rewards.c.type == asset.type,
        rewards.c.currency.is_not_distinct_from(asset.currency),
    )
    return int((await one(tx, statement))[0])


async def _count(tx: Tx, campaign_id: str, budget: Budget, at: datetime) -> int:
    statement = select(func.count()).where(*_counted(campaign_id, budget, at))
    return int((await one(tx, statement))[0])


def _counted(campaign_id: str, budget: Budget, at: datetime) -> list[ColumnElement[bool]]:
    counted = [
        rewards.c.campaign_id == campaign_id,
        rewards.c.state.not_in(RETURNED_STATES),
    ]
    if budget.period:
        counted.append(rewards.c.created_at > at - budget.period)
    return counted
