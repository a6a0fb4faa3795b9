"""Create the rewards of a conversion or a milestone: rows with deterministic keys, within the budget."""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from referrals.domain.campaign import Campaign
from referrals.domain.reasons import Reason, RejectReason
from referrals.domain.rewards import Reward
from referrals.domain.states import RewardState
from referrals.domain.tiers import each_conversion_tiers
from referrals.store.activity.context import ReferralContext
from referrals.store.activity.log import publish
from referrals.store.db.sql import Tx, insert_once
from referrals.store.rewards import budgets
from referrals.store.rewards.reward_rows import close
from referrals.store.schema import RewardRow, rewards

_ID_NAMESPACE = uuid.UUID("6d0f0b0a-3f0b-4a53-9f0e-6f6a2b0c7c11")
BUDGET_SPENT = Reason(RejectReason.CAMPAIGN_LIMIT_REACHED, "The campaign's budget is spent.")


@dataclass(frozen=True)
class RewardSpec:
    """A reward to create, once for its key."""

    key: str
    reward: Reward
    side: str
    tier: str | None = None


def rewards_of_conversion(campaign: Campaign) -> list[Reward]:
    """Return the rewards of every conversion: the friend's, and those of the advocate for each friend."""
    friend = [campaign.rewards.friend] if campaign.rewards.friend else []
    return friend + [tier.reward for tier in each_conversion_tiers(campaign.rewards.tiers)]


async def create_for_conversion(tx: Tx, context: ReferralContext, due_at: datetime) -> None:
    """Create the rewards of both sides, due at `due_at`."""
    referral_id = str(context.referral_id)
    friend = context.campaign.rewards.friend
    specs = [RewardSpec(f"{referral_id}/friend", friend, "friend")] if friend else []
    for tier in each_conversion_tiers(context.campaign.rewards.tiers):
        key = f"{referral_id}/advocate/{tier.name}"
        specs.append(RewardSpec(key, tier.reward, "advocate", tier.name))
    await create(tx, context, due_at, *specs)


async def create(tx: Tx, context: ReferralContext, due_at: datetime, *specs: RewardSpec) -> None:
    """Create rewards that do not exist yet. A reward beyond the budget is voided."""
    budget, campaign_id = context.campaign.limits.budget, context.campaign.campaign
    if budget is None:
        await _insert(tx, context, due_at, specs, in_budget=True)
        return
    for spec in specs:  # one after another, because each may be the last that fits
        fits = await budgets.fits(tx, campaign_id, budget, [spec.reward], context.now)
        await _insert(tx, context, due_at, [spec], in_budget=fits)


async def _insert(
    tx: Tx,
    context: ReferralContext,
    due_at: datetime,
    specs: Sequence[RewardSpec],
    *,
    in_budget: bool,
) -> None:
    if not specs:
        return
    values = [_row(context, spec, due_at) for spec in specs]
    new = insert_once(tx, rewards, ("key",)).returning(rewards)
    created: Sequence[Any] = (await tx.execute(new, values)).all()
    reward: RewardRow
    for reward in created:
        if not in_budget:
            await close(tx, context, reward, RewardState.VOIDED, BUDGET_SPENT)
        elif due_at > context.now:
            data = {"due_at": due_at.isoformat()}
            publish(tx, context, "reward_pending", reward=reward, data=data)


def _row(context: ReferralContext, spec: RewardSpec, due_at: datetime) -> dict[str, Any]:
    reward, milestone = spec.reward, context.milestone
    provider, target = context.campaign.rewards.provider_of(reward)
    friend = spec.side == "friend"
    return {
        "id": f"rew_{uuid.uuid5(_ID_NAMESPACE, spec.key).hex}",
        "key": spec.key,
        "campaign_id": context.campaign.campaign,
        "referral_id": None if milestone else context.referral_id,
        "milestone_id": milestone.id if milestone else None,
        "side": spec.side,
        "tier": spec.tier,
        "customer_id": context.friend_id if friend else context.advocate.customer_id,
        "type": reward.type,
        "amount": reward.minor,
        "currency": reward.currency,
        "state": RewardState.PENDING,
        "provider": provider,
        "target": target,
        "due_at": due_at,
        "created_at": context.now,
    }
