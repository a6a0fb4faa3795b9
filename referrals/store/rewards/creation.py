"""What a conversion or a milestone is to be rewarded with: rows under deterministic keys, within the budget."""

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
from referrals.store.activity import log
from referrals.store.activity.log import Scene
from referrals.store.db.sql import Tx, adding
from referrals.store.rewards import budgets
from referrals.store.rewards.reward_rows import close
from referrals.store.schema import rewards

_KEYS = uuid.UUID("6d0f0b0a-3f0b-4a53-9f0e-6f6a2b0c7c11")
BUDGET_SPENT = Reason(RejectReason.CAMPAIGN_LIMIT_REACHED, "The campaign's budget is spent.")


def promised(campaign: Campaign) -> list[Reward]:
    """What each conversion is rewarded with."""
    friend = [campaign.rewards.friend] if campaign.rewards.friend else []
    return friend + [tier.reward for tier in each_conversion_tiers(campaign.rewards.tiers)]


async def promise(tx: Tx, scene: Scene, due_at: datetime) -> None:
    """The rewards of both sides, each a row with a deterministic key, due at `due_at`."""
    referral_id = str(scene.referral_id)
    friend = scene.campaign.rewards.friend
    offers = [Offer(f"{referral_id}/friend", friend, "friend")] if friend else []
    for tier in each_conversion_tiers(scene.campaign.rewards.tiers):
        key = f"{referral_id}/advocate/{tier.name}"
        offers.append(Offer(key, tier.reward, "advocate", tier.name))
    await promise_each(tx, scene, due_at, *offers)


@dataclass(frozen=True)
class Offer:
    """A reward to be promised, once for its key."""

    key: str
    reward: Reward
    side: str
    tier: str | None = None


async def promise_each(tx: Tx, scene: Scene, due_at: datetime, *offers: Offer) -> None:
    """At once; under a budget one after another, as each may be the last that fits."""
    budget, campaign_id = scene.campaign.limits.budget, scene.campaign.campaign
    if budget is None:
        await _offer(tx, scene, due_at, offers, in_budget=True)
        return
    for offer in offers:
        fits = await budgets.fits(tx, campaign_id, budget, [offer.reward], scene.now)
        await _offer(tx, scene, due_at, [offer], in_budget=fits)


async def _offer(
    tx: Tx, scene: Scene, due_at: datetime, offers: Sequence[Offer], *, in_budget: bool
) -> None:
    if not offers:
        return
    promises = [_promised(scene, offer, due_at) for offer in offers]
    new = await tx.execute(adding(tx, rewards, ("key",)).returning(rewards), promises)
    for row in new.all():
        if not in_budget:
            await close(tx, scene, row, RewardState.VOIDED, BUDGET_SPENT)
        elif due_at > scene.now:
            data = {"due_at": due_at.isoformat()}
            await log.record(tx, scene, "reward_pending", reward=row, data=data)


def _promised(scene: Scene, offer: Offer, due_at: datetime) -> dict[str, Any]:
    reward = offer.reward
    provider, target = scene.campaign.rewards.provider_of(reward)
    own = {"id": f"rew_{uuid.uuid5(_KEYS, offer.key).hex}", "key": offer.key}
    return own | {
        "campaign_id": scene.campaign.campaign,
        "referral_id": None if scene.milestone else scene.referral_id,
        "milestone_id": scene.milestone.id if scene.milestone else None,
        "side": offer.side,
        "tier": offer.tier,
        "customer_id": scene.friend_id if offer.side == "friend" else scene.advocate.customer_id,
        "type": reward.type,
        "amount": reward.minor,
        "currency": reward.currency,
        "state": RewardState.PENDING,
        "provider": provider,
        "target": target,
        "due_at": due_at,
        "created_at": scene.now,
    }


async def promise_more(
    tx: Tx, scene: Scene, key: str, reward: Reward, due_at: datetime, side: str
) -> None:
    """One more reward of the referral or milestone, in what its promised ones have left of the budget."""
    if not scene.milestone:
        await promise(tx, scene, due_at)
    await promise_each(tx, scene, due_at, Offer(key, reward, side))
