"""Grant rewards when they are due: those of the built-in ledger at once; for all others, record the outcome."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from types import MappingProxyType

from sqlalchemy import bindparam, exists

from referrals.domain.failure_causes import Failure, FailureCause
from referrals.domain.reasons import Reason
from referrals.domain.states import ReferralState, RewardState
from referrals.errors import NoCouponError
from referrals.store.activity.context import ReferralContext
from referrals.store.activity.log import publish
from referrals.store.db.columns import required
from referrals.store.db.sql import Tx
from referrals.store.ledger import grants
from referrals.store.rewards import coupons
from referrals.store.rewards.reward_rows import (
    NO_ERROR,
    amount_text,
    describe,
    error_values,
    rewards_of,
    set_reward,
)
from referrals.store.schema import RewardRow, referrals, rewards

NOTHING_REPAID: Mapping[str, int] = MappingProxyType({})


def is_due(reward: RewardRow, now: datetime) -> bool:
    """Return whether a pending reward can be granted: its hold and cooldown are over, and it awaits no approval.

    `due_at` is the end of hold and cooldown.
    """
    approved = reward.approval != "awaited"
    return reward.state == RewardState.PENDING and required(reward.due_at) <= now and approved


async def grant_due(tx: Tx, context: ReferralContext) -> None:
    """Grant the due rewards of the context's referral or milestone that the own ledger issues.

    Other providers are called by the workflow.
    """
    own = [reward for reward in await rewards_of(tx, context) if reward.provider == "ledger"]
    due = [reward for reward in own if is_due(reward, context.now)]
    if booked := [reward for reward in due if reward.type != "coupon"]:
        payments = [(reward, describe(reward)) for reward in booked]
        repaid = await grants.grant(tx, payments, context.now)
        await mark_granted(tx, context, booked, repaid=repaid)
    for reward in due:
        if reward.type == "coupon":
            await _issue_coupon(tx, context, reward)
    await complete_referral(tx, context)


async def _issue_coupon(tx: Tx, context: ReferralContext, reward: RewardRow) -> None:
    try:
        code = await coupons.issue(tx, reward, context.now)
    except NoCouponError as error:
        failure = Failure(error.code, str(error), FailureCause.STOCK)
        await mark_failed(tx, context, reward, failure)
    else:
        await mark_granted(tx, context, [reward], code)


async def mark_granted(
    tx: Tx,
    context: ReferralContext,
    granted: Sequence[RewardRow],
    reference: str | None = None,
    repaid: Mapping[str, int] = NOTHING_REPAID,
) -> None:
    """Mark rewards as granted.

    `reference` is the provider's id of one reward, for a coupon its code; `repaid` are the amounts that repaid what the
    customer owed, by reward.
    """
    values = {
        "state": RewardState.GRANTED,
        "granted_at": context.now,
        "reference": reference,
        "accepted_by_provider_at": None,
        "outcome_unknown_until": None,
        **NO_ERROR,
    }
    await tx.execute(_GRANTED, values | {"granted": [reward.id for reward in granted]})
    for reward in granted:
        amount = repaid.get(reward.id)
        data = {"repaid": amount_text(amount, reward.currency)} if amount else {}
        publish(tx, context, "reward_granted", reward=reward, data=data)


_GRANTED = rewards.update().where(rewards.c.id.in_(bindparam("granted", expanding=True)))


async def mark_failed(
    tx: Tx, context: ReferralContext, reward: RewardRow, failure: Failure
) -> None:
    """Mark a reward as failed: an operator has to retry or void it."""
    await set_reward(tx, reward, RewardState.FAILED, **NO_ERROR | error_values(failure))
    reason = Reason(failure.code, failure.message)
    data = {"attempts": reward.attempts, "cause": failure.cause}
    publish(tx, context, "reward_failed", reward=reward, reason=reason, data=data)


async def complete_referral(tx: Tx, context: ReferralContext) -> None:
    """Mark a confirmed referral as rewarded once none of its rewards is still to be granted."""
    if context.referral_id and not context.milestone:
        await tx.execute(_REWARDED, {"row_id": context.referral_id})


async def reopen_referral(tx: Tx, context: ReferralContext) -> None:
    """Mark a rewarded referral as confirmed again where another reward is still to be granted."""
    if context.referral_id and not context.milestone:
        await tx.execute(_CONFIRMED_AGAIN, {"row_id": context.referral_id})


_HAS_OPEN_REWARD = exists().where(
    rewards.c.referral_id == referrals.c.id,
    rewards.c.state.in_([RewardState.PENDING, RewardState.GRANTING, RewardState.FAILED]),
)
_THIS = referrals.c.id == bindparam("row_id")
_REWARDED = (
    referrals.update()
    .where(_THIS, referrals.c.state == ReferralState.CONFIRMED, ~_HAS_OPEN_REWARD)
    .values(state=ReferralState.REWARDED)
)
_CONFIRMED_AGAIN = (
    referrals.update()
    .where(_THIS, referrals.c.state == ReferralState.REWARDED, _HAS_OPEN_REWARD)
    .values(state=ReferralState.CONFIRMED)
)
