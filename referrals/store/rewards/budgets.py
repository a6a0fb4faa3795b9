"""Budgets: the rewards that a campaign has created and not returned, compared with its limits. The campaign is locked."""

from collections.abc import Iterable, Sequence
from datetime import datetime

from sqlalchemy import ColumnElement, func, select

from referrals.domain.campaign import Campaign
from referrals.domain.campaign_limits import Budget
from referrals.domain.rewards import Asset, Reward
from referrals.domain.states import RewardState
from referrals.store.db.periods import within
from referrals.store.db.sql import Tx, locked, one
from referrals.store.schema import campaigns, rewards

RETURNED_STATES = (RewardState.VOIDED, RewardState.ROLLED_BACK)


async def fits(
    tx: Tx, campaign: Campaign, budget: Budget, more: Iterable[Reward], at: datetime
) -> bool:
    """Check whether the budget has room for `more` rewards besides those created in its period around `at`."""
    new = list(more)
    await one(tx, locked(select(campaigns.c.id).where(campaigns.c.id == campaign.campaign)))
    counted = _counted(campaign, budget, at)
    for asset in {reward.asset for reward in new if reward.type != "coupon"}:
        limit = budget.limit_of(asset.currency)
        amount = sum(reward.minor for reward in new if reward.asset == asset)
        if limit is not None and await _given(tx, counted, asset) + amount > limit:
            return False
    if budget.rewards is None:
        return True
    return await _count(tx, counted) + len(new) <= budget.rewards


async def _given(tx: Tx, counted: Sequence[ColumnElement[bool]], asset: Asset) -> int:
    statement = select(func.coalesce(func.sum(rewards.c.amount), 0)).where(
        *counted,
        rewards.c.type == asset.type,
        rewards.c.currency.is_not_distinct_from(asset.currency),
    )
    return int((await one(tx, statement))[0])


async def _count(tx: Tx, counted: Sequence[ColumnElement[bool]]) -> int:
    statement = select(func.count()).where(*counted)
    return int((await one(tx, statement))[0])


def _counted(campaign: Campaign, budget: Budget, at: datetime) -> list[ColumnElement[bool]]:
    counted = [
        rewards.c.campaign_id == campaign.campaign,
        rewards.c.state.not_in(RETURNED_STATES),
    ]
    if budget.period:
        counted += within(rewards.c.created_at, budget.period, at, campaign.zone)
    return counted
