"""Rows of rewards: read, change, close and describe them."""

from typing import Any

from sqlalchemy import bindparam, select

from referrals.domain.failure_causes import Failure
from referrals.domain.money import format_amount
from referrals.domain.reasons import Reason
from referrals.domain.states import RewardState
from referrals.store.activity.context import ReferralContext
from referrals.store.activity.log import publish
from referrals.store.db.sql import Tx, change, rows_of
from referrals.store.ledger import debts
from referrals.store.schema import RewardRow, rewards

RESET_ATTEMPTS: dict[str, Any] = {"attempts": 0, "last_called_at": None}
"""Values of a reward whose next request to the provider is the first of its kind."""

NO_ERROR: dict[str, Any] = {
    "error": None,
    "error_code": None,
    "failure_cause": None,
    "retry_at": None,
    "turn_at": None,
}
"""Values of a reward without an error, for which no attempt is due."""


def error_values(failure: Failure) -> dict[str, Any]:
    """Return the values of a reward with this error."""
    return {
        "error_code": failure.code,
        "error": failure.message,
        "failure_cause": failure.cause,
    }


async def rewards_of(tx: Tx, context: ReferralContext) -> list[RewardRow]:
    if context.milestone:
        return list(
            await rows_of(tx, RewardRow, _REWARDS_OF_MILESTONE, milestone_id=context.milestone.id)
        )
    return list(await rows_of(tx, RewardRow, REWARDS_OF_REFERRAL, referral_id=context.referral_id))


_REWARDS_OF_MILESTONE = (
    select(rewards)
    .where(rewards.c.milestone_id == bindparam("milestone_id"))
    .order_by(rewards.c.origin)
)
REWARDS_OF_REFERRAL = (
    select(rewards)
    .where(rewards.c.referral_id == bindparam("referral_id"))
    .order_by(rewards.c.origin)
)
"""Select the rewards of `referral_id`, ordered by origin."""


async def set_reward(tx: Tx, reward: RewardRow, state: RewardState, **values: Any) -> None:
    await change(tx, rewards, reward.id, state=state, **values)


async def close(
    tx: Tx,
    context: ReferralContext,
    reward: RewardRow,
    state: RewardState,
    reason: Reason,
    data: dict[str, str] | None = None,
    owed: int = 0,
) -> None:
    """Close the reward. The customer owes `owed` of it, and what it had repaid if an external provider grants the rest."""
    if reward.repaid and reward.provider != "ledger":
        owed += await debts.owe_again(tx, reward, f"Owed again: {reason.message}", context.now)
    data = (data or {}) | ({"owed": amount_text(owed, reward.currency)} if owed else {})
    await close_without_debt(tx, context, reward, state, reason, data)


async def close_without_debt(
    tx: Tx,
    context: ReferralContext,
    reward: RewardRow,
    state: RewardState,
    reason: Reason,
    data: dict[str, str] | None = None,
) -> None:
    """Close a reward that changes no debt, such as a new one."""
    values = NO_ERROR | {"closed_at": context.now, "reason": reason.message}
    await change(tx, rewards, reward.id, state=state, **values)
    publish(tx, context, f"reward_{state}", reward=reward, reason=reason, data=data or {})


def amount_text(minor: int, currency: str | None) -> str:
    """Format an amount for the API: "100" points, "25.00" EUR."""
    return format_amount(minor, currency) if currency else str(minor)


def describe(reward: RewardRow) -> str:
    """Describe a reward, for example "Referral reward: 100 points" or "… 100 points, less 20 owed"."""
    unit = reward.currency or reward.type
    less = f", less {amount_text(reward.repaid, reward.currency)} owed" if reward.repaid else ""
    return f"Referral reward: {amount_text(reward.amount, reward.currency)} {unit}{less}"
