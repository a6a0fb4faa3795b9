"""Roll back rewards: pending ones are voided, granted ones reversed (debts: `store.ledger.debts`)."""

from dataclasses import replace

from sqlalchemy import bindparam

from referrals.domain.reasons import Reason
from referrals.domain.states import RewardState
from referrals.store.activity.context import ReferralContext
from referrals.store.db.sql import Tx
from referrals.store.ledger import grants
from referrals.store.rewards import coupons
from referrals.store.rewards.reward_rows import (
    NO_ERROR,
    RESET_ATTEMPTS,
    close,
    rewards_of,
    set_reward,
)
from referrals.store.schema import RewardRow, rewards


async def roll_back_rewards(tx: Tx, context: ReferralContext, reason: Reason) -> None:
    """Roll back all rewards of the context's referral or milestone."""
    undone = []
    for reward in await rewards_of(tx, context):
        if reward.state == RewardState.PENDING:
            await close(tx, context, reward, RewardState.VOIDED, reason)
        elif reward.state in (RewardState.GRANTED, RewardState.FAILED):
            await roll_back_reward(tx, context, reward, reason)
        else:
            continue
        undone.append(reward.id)
    if undone and context.milestone is None:
        await tx.execute(_UNDONE_WITH_REFERRAL, {"undone": undone})


_UNDONE_WITH_REFERRAL = (
    rewards.update()
    .where(rewards.c.id.in_(bindparam("undone", expanding=True)))
    .values(undone_with_referral=True)
)


async def roll_back_reward(
    tx: Tx, context: ReferralContext, reward: RewardRow, reason: Reason
) -> None:
    """Reverse a reward in the own ledger; one of another provider becomes `rolling_back` for its workflow."""
    if reward.provider != "ledger":
        values = RESET_ATTEMPTS | NO_ERROR
        await set_reward(tx, reward, RewardState.ROLLING_BACK, reason=reason.message, **values)
    elif reward.state == RewardState.FAILED:  # the own ledger granted nothing
        await close(tx, context, reward, RewardState.VOIDED, reason)
    elif reward.type == "coupon":
        await _void_coupon(tx, context, reward, reason)
    else:
        memo = f"Rolled back: {reason.message}"
        allow_negative = context.campaign.rewards.rollback.allow_negative
        owed = await grants.reverse(tx, reward, memo, context.now, allow_negative=allow_negative)
        await close(tx, context, reward, RewardState.ROLLED_BACK, reason, owed=owed)


async def _void_coupon(tx: Tx, context: ReferralContext, reward: RewardRow, reason: Reason) -> None:
    data = {"coupon": "void"}
    if not await coupons.void(tx, reward.id, context.now):
        message = f"{reason.message} Its coupon had been redeemed already."
        reason, data = replace(reason, message=message), {"coupon": "redeemed"}
    await close(tx, context, reward, RewardState.ROLLED_BACK, reason, data)
