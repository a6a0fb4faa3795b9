"""Renew the rewards of a reinstated referral: a new occurrence of each, on the terms and with the due time of the last."""

from typing import Any

from sqlalchemy import func, select

from referrals.domain.states import RewardState
from referrals.store.activity.context import ReferralContext
from referrals.store.db.sql import Tx, change, first_of, insert_once
from referrals.store.rewards.creation import announce_if_pending, reward_id_of
from referrals.store.rewards.reward_rows import rewards_of
from referrals.store.schema import RewardRow, rewards

_TERMS = (
    "key_prefix",
    "campaign_id",
    "referral_id",
    "side",
    "tier",
    "customer_id",
    "type",
    "amount",
    "currency",
    "provider",
    "target",
    "due_at",
    "approval",
    "approved_at",
)
"""Columns that each occurrence has from the one before."""


async def renew_rewards(tx: Tx, context: ReferralContext) -> None:
    """Create the next occurrence of every reward that was undone with the context's referral, even above the budget."""
    for reward in await rewards_of(tx, context):
        if reward.undone_with_referral:
            await change(tx, rewards, reward.id, undone_with_referral=False)
            renewed = await first_of(tx, RewardRow, _insert(tx, context, reward))
            if renewed:
                announce_if_pending(tx, context, renewed)


def _insert(tx: Tx, context: ReferralContext, reward: RewardRow) -> Any:
    origin = f"{reward.origin.partition('~')[0]}~{reward.occurrence}"
    latest = select(func.max(rewards.c.occurrence)).where(rewards.c.key_prefix == reward.key_prefix)
    new = insert_once(tx, rewards, ("origin",)).values(
        id=reward_id_of(origin),
        origin=origin,
        occurrence=latest.scalar_subquery() + 1,
        state=RewardState.PENDING,
        created_at=context.now,
        **{name: getattr(reward, name) for name in _TERMS},
    )
    return new.returning(rewards)
