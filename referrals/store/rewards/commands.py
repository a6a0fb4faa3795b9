"""Operator commands for rewards: retry, void, roll back, approve, and resume when coupons are imported."""

from dataclasses import replace
from datetime import datetime
from typing import Any

from sqlalchemy import Select, select

from referrals.domain.reasons import Reason
from referrals.domain.states import COUNTS_TOWARD_TIERS, RewardState
from referrals.errors import NotPossibleError
from referrals.store import lookups
from referrals.store.activity.context import ReferralContext
from referrals.store.db.sql import Tx, first_of
from referrals.store.inbox import inbox_events
from referrals.store.inbox.outcome import Outcome
from referrals.store.ledger import debts
from referrals.store.rewards import granting, provider_rewards, roll_backs
from referrals.store.rewards.coupons import POOL_EMPTY
from referrals.store.rewards.provider_rewards import ATTEMPTS_EXHAUSTED, NOT_BOOKED
from referrals.store.rewards.reward_rows import RESET_ATTEMPTS, close, set_reward
from referrals.store.schema import RewardRow, referrals, rewards


class RewardWithFriend(RewardRow):
    """A row of `select_rewards_with_friend`."""

    friend_id: str | None


async def find_reward(tx: Tx, reward_id: str) -> RewardWithFriend | None:
    """Return the reward with the friend of its referral, or None."""
    statement = select_rewards_with_friend().where(rewards.c.id == reward_id)
    return await first_of(tx, RewardWithFriend, statement)


def select_rewards_with_friend() -> Select[*tuple[Any, ...]]:
    """Select rewards with the `friend_id` of their referral."""
    friend = referrals.c.id == rewards.c.referral_id
    return select(rewards, referrals.c.friend_id).join(referrals, friend, isouter=True)


def command_of(reward: RewardWithFriend, reason: str = "") -> dict[str, Any]:
    """Build the command for a reward; `customer_id` is the customer after whose events it is processed."""
    return {
        "data": {"reward": reward.id, "reason": reason},
        "campaign_id": reward.campaign_id,
        # The friend's workflow handles rewards of a referral, the advocate's those of a milestone.
        "customer_id": reward.friend_id or reward.customer_id,
    }


async def run_command(tx: Tx, event_id: str, now: datetime) -> Outcome:
    """Run a command on one reward; a repeat changes nothing.

    Raises:
        NotPossibleError: the reward is in another state.
    """
    event = await inbox_events.lock(tx, event_id)
    if event.response:
        return Outcome(event)
    context, reward = await provider_rewards.lock_reward(tx, event.data["reward"], now)
    context = replace(context, actor=event.actor)
    await _COMMANDS[event.type](tx, context, reward, event.data.get("reason", ""))
    await granting.complete_referral(tx, context)
    return Outcome(event, referral_id=reward.referral_id)


async def _retry(tx: Tx, context: ReferralContext, reward: RewardRow, _: str) -> None:
    _require_state(reward, RewardState.FAILED)
    if reward.provider == "ledger":
        await set_reward(tx, reward, RewardState.PENDING)
        await granting.grant_due(tx, context)
        return
    rolls_back = await lookups.is_undone(tx, context) or reward.granted_at is not None
    state = RewardState.ROLLING_BACK if rolls_back else RewardState.GRANTING
    values: dict[str, Any] = {"retry_at": None, "turn_at": None}
    if reward.error_code in (*NOT_BOOKED, ATTEMPTS_EXHAUSTED):
        values["accepted_by_provider_at"] = None  # it will not be booked any more
    if reward.error_code in NOT_BOOKED:
        values |= RESET_ATTEMPTS  # nothing is booked, so the next request needs no look-up
    await set_reward(tx, reward, state, **values)


async def _resume(tx: Tx, context: ReferralContext, reward: RewardRow, _: str) -> None:
    """Retry a reward whose coupon pool was empty, unless it has been handled in the meantime."""
    if reward.state == RewardState.FAILED and reward.error_code == POOL_EMPTY:
        await _retry(tx, context, reward, "")


async def _void(tx: Tx, context: ReferralContext, reward: RewardRow, reason: str) -> None:
    if reward.state == RewardState.VOIDED:
        return
    _require_state(reward, RewardState.PENDING, RewardState.FAILED)
    cause = Reason("voided_by_operator", reason)
    if reward.granted_at:  # its roll-back failed: the customer keeps the reward and owes it
        await debts.record_debt(
            tx, reward, reward.amount, f"Not rolled back: {reason}", context.now
        )
        await provider_rewards.close_rolled_back(tx, context, reward, reason)
    elif reward.outcome_unknown_until and reward.reason is None:
        await roll_backs.roll_back_reward(tx, context, reward, cause)  # it may still be booked
    else:
        await close(tx, context, reward, RewardState.VOIDED, cause)


async def _roll_back(tx: Tx, context: ReferralContext, reward: RewardRow, reason: str) -> None:
    if reward.state in (RewardState.ROLLED_BACK, RewardState.ROLLING_BACK):
        return
    _require_state(reward, RewardState.GRANTED)
    cause = Reason("rolled_back_by_operator", reason)
    await roll_backs.roll_back_reward(tx, context, reward, cause)


async def _approve(tx: Tx, context: ReferralContext, reward: RewardRow, _: str) -> None:
    _require_state(reward, RewardState.PENDING)
    approved_at = reward.approved_at or context.now
    await set_reward(tx, reward, RewardState.PENDING, approval="given", approved_at=approved_at)
    if context.milestone or await _counts_toward_tiers(tx, context):
        await granting.grant_due(tx, context)


_COMMANDS = {
    "reward_retry": _retry,
    "reward_resume": _resume,
    "reward_void": _void,
    "reward_roll_back": _roll_back,
    "reward_approve": _approve,
}


def _require_state(reward: RewardRow, *states: RewardState) -> None:
    if reward.state not in states:
        raise NotPossibleError(f"The reward is {reward.state}, not {' or '.join(states)}.")


async def _counts_toward_tiers(tx: Tx, context: ReferralContext) -> bool:
    return (await lookups.get_referral(tx, str(context.referral_id))).state in COUNTS_TOWARD_TIERS
