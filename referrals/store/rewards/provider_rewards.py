"""Rewards issued by an external provider: update our row, call the provider, then store the outcome on our row.

Only one activity at a time works on a reward, the one of its workflow. The states `granting` and `rolling_back` are
written before the call. After a crash, the next attempt therefore knows that the provider may have booked the request,
and looks it up before repeating it.

A grant repays what the customer owes first; the provider is asked for the rest. That amount is fixed before the first
call and never changes, because a repeat must be the same request. A grant that repays with all of its amount needs no call.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import func, select

from referrals.domain.actors import SYSTEM_ACTOR
from referrals.domain.failure_causes import Failure, FailureCause
from referrals.domain.reasons import Reason
from referrals.domain.states import RewardState
from referrals.errors import ReferralsError
from referrals.store import lookups
from referrals.store.activity.context import ReferralContext
from referrals.store.customers import profiles
from referrals.store.db.columns import required
from referrals.store.db.sql import Tx, change, first, get, one
from referrals.store.ledger import debts
from referrals.store.rewards import granting
from referrals.store.rewards.reward_rows import (
    RESET_ATTEMPTS,
    close,
    error_values,
    set_reward,
)
from referrals.store.schema import RewardRow, milestones, rewards

NOT_BOOKED = frozenset({"rejected", "refused"})
"""Error codes if the provider accepted a request and booked nothing for it."""
ATTEMPTS_EXHAUSTED = "attempts_spent"

IN_PROGRESS = frozenset({RewardState.PENDING, RewardState.GRANTING, RewardState.ROLLING_BACK})


@dataclass(frozen=True)
class ProviderTask:
    """Next step of a reward at its provider."""

    reward: RewardRow
    customer: str
    """External id of the customer, which the provider uses too."""
    repeated: bool
    """An earlier attempt called the provider, so the request may be booked."""
    owed: int
    """Part of the amount that the customer has spent, so that it cannot be reversed."""

    @property
    def amount(self) -> int:
        """Return the amount that the provider is to grant."""
        return debts.net_amount(self.reward)

    @property
    def provider(self) -> str:
        return self.reward.provider

    @property
    def turn_at(self) -> datetime | None:
        return self.reward.turn_at

    @property
    def accepted(self) -> bool:
        """Return whether the provider accepted the last request of this state without booking it yet."""
        return self.reward.accepted_by_provider_at is not None


class NotVisibleYet(ReferralsError):
    """An earlier request may be booked, but a look-up may not see it before `delay` is over."""

    def __init__(self, delay: timedelta) -> None:
        super().__init__()
        self.delay = delay


class Superseded(ReferralsError):
    """A later attempt is already working on the reward."""


async def begin(tx: Tx, reward_id: str, now: datetime) -> ProviderTask | None:
    """Return the next step of the reward, whose advocate is locked; None if the provider has nothing to do.

    Raises:
        NotVisibleYet: an earlier request may still become visible.
    """
    context, reward = await lock_reward(tx, reward_id, now)
    if reward.state not in IN_PROGRESS:
        return None
    if reward.outcome_unknown_until and reward.outcome_unknown_until > now:
        raise NotVisibleYet(reward.outcome_unknown_until - now)
    if reward.state == RewardState.PENDING and not granting.is_due(reward, now):
        return None
    if reward.repaid is None and reward.state != RewardState.ROLLING_BACK:
        await change(tx, rewards, reward.id, repaid=await debts.repay_with(tx, reward, now))
        reward = await _get(tx, reward.id)
    if reward.repaid == reward.amount:
        await _complete_without_call(tx, context, reward)
        return None
    customer = await profiles.get(tx, reward.issued_to or reward.customer_id)
    owed = await debts.debt_of(tx, reward)
    return ProviderTask(reward, customer.external_id, reward.last_called_at is not None, owed)


async def start_attempt(tx: Tx, task: ProviderTask) -> ProviderTask:
    """Count the attempt that starts now, and return its step."""
    reward = task.reward
    state = RewardState.GRANTING if reward.state == RewardState.PENDING else reward.state
    await set_reward(
        tx, reward, RewardState(state), attempts=reward.attempts + 1, turn_at=None, retry_at=None
    )
    return replace(task, reward=await _get(tx, reward.id))


async def wait_for_turn(
    tx: Tx, task: ProviderTask, turn_at: datetime, failure: Failure | None
) -> None:
    """Keep the turn that the reward waits for; `failure` says why, if the provider does not respond."""
    reward = task.reward
    values = error_values(failure) if failure and reward.error is None else {}
    await change(tx, rewards, reward.id, turn_at=turn_at, retry_at=turn_at, **values)


async def mark_call_started(tx: Tx, task: ProviderTask, now: datetime, until: datetime) -> None:
    """Record a call that starts now; until `until`, a look-up may not see its outcome.

    Raises:
        Superseded: a later attempt is working on the reward.
    """
    statement = (
        rewards.update()
        .where(
            rewards.c.id == task.reward.id,
            rewards.c.state == task.reward.state,
            rewards.c.attempts == task.reward.attempts,
        )
        .values(last_called_at=now, outcome_unknown_until=until)
    )
    if await first(tx, statement.returning(rewards.c.id)) is None:
        raise Superseded


async def mark_outcome_unknown(tx: Tx, reward_id: str, until: datetime | None) -> None:
    """Record that a look-up sees the outcome of the last call by `until`; None means that nothing was booked."""
    await tx.execute(
        rewards.update().where(rewards.c.id == reward_id).values(outcome_unknown_until=until)
    )


async def mark_granted(tx: Tx, reward_id: str, reference: str | None, now: datetime) -> None:
    """Record that the provider booked the grant. Start its roll-back if the referral was rolled back meanwhile."""
    context, reward = await lock_reward(tx, reward_id, now)
    if reward.state == RewardState.GRANTING:
        await _complete_grant(tx, context, reward, reference)


async def mark_booked(tx: Tx, reward_id: str, reference: str | None, now: datetime) -> None:
    """Record that a grant which is being rolled back was booked."""
    values = {
        "granted_at": now,
        "reference": reference,
        "accepted_by_provider_at": None,
        "outcome_unknown_until": None,
    }
    await tx.execute(
        rewards.update()
        .where(rewards.c.id == reward_id, rewards.c.granted_at.is_(None))
        .values(**values)
    )


async def record_debt(tx: Tx, reward_id: str, amount: int, now: datetime) -> None:
    """Record that the customer has spent this amount of the reward and owes it."""
    _, reward = await lock_reward(tx, reward_id, now)
    await debts.record_debt(tx, reward, amount, f"Spent at {reward.provider}: {reward.reason}", now)


async def mark_rolled_back(tx: Tx, reward_id: str, now: datetime) -> None:
    """Record that the provider reversed the grant, as far as the customer had the amount left."""
    context, reward = await lock_reward(tx, reward_id, now)
    if reward.state == RewardState.ROLLING_BACK:
        await close_rolled_back(tx, context, reward, reward.reason or "Rolled back.")


async def mark_never_granted(tx: Tx, reward_id: str, now: datetime) -> None:
    """Void a reward in roll-back whose grant the provider never booked."""
    context, reward = await lock_reward(tx, reward_id, now)
    if reward.state == RewardState.ROLLING_BACK:
        reason = Reason("rolled_back", reward.reason or "Rolled back.")
        await close(tx, context, reward, RewardState.VOIDED, reason)


async def close_rolled_back(
    tx: Tx, context: ReferralContext, reward: RewardRow, message: str
) -> None:
    """Close the reward as rolled back, with the amount that the customer owes."""
    await mark_outcome_unknown(tx, reward.id, None)
    owed = await debts.debt_of(tx, reward)
    reason = Reason("rolled_back", message)
    await close(tx, context, reward, RewardState.ROLLED_BACK, reason, owed=owed)


async def mark_accepted(tx: Tx, reward_id: str, reference: str | None, now: datetime) -> None:
    """Record that the provider accepted the request and books it later. Poll from now on; do not repeat it."""
    await tx.execute(
        rewards.update()
        .where(rewards.c.id == reward_id)
        .values(
            accepted_by_provider_at=now,
            outcome_unknown_until=None,
            reference=func.coalesce(reference, rewards.c.reference),
        )
    )


async def record_error(tx: Tx, reward_id: str, failure: Failure, retry_at: datetime | None) -> None:
    """Record the error of the last attempt, and when the next attempt starts."""
    await change(tx, rewards, reward_id, retry_at=retry_at, **error_values(failure))


async def mark_exhausted(tx: Tx, reward_id: str, message: str, now: datetime) -> None:
    """Mark the reward as failed because all attempts are used up; the cause is that of the last error."""
    cause = (await _get(tx, reward_id)).failure_cause or FailureCause.OUTAGE
    failure = Failure(ATTEMPTS_EXHAUSTED, message, FailureCause(cause))
    await mark_failed(tx, reward_id, failure, now)


async def mark_failed(tx: Tx, reward_id: str, failure: Failure, now: datetime) -> None:
    """Mark the reward as failed, with the provider's message, until an operator retries or voids it."""
    context, reward = await lock_reward(tx, reward_id, now)
    if reward.state not in IN_PROGRESS:
        return
    if reward.state == RewardState.GRANTING and await lookups.is_undone(tx, context):
        # The roll-back finds out whether the provider booked it.
        await _start_roll_back(tx, context, reward, failure.message)
        return
    await granting.mark_failed(tx, context, reward, failure)


async def take_next_occurrence(tx: Tx, reward_id: str, now: datetime) -> None:
    """Give a reward that is being granted the key after all that the customer's rewards of its name have had."""
    _, reward = await lock_reward(tx, reward_id, now)
    last = select(func.max(rewards.c.occurrence)).where(rewards.c.key_prefix == reward.key_prefix)
    occurrence = int((await one(tx, last))[0]) + 1
    values: dict[str, Any] = {"last_called_at": None, "outcome_unknown_until": None}
    await change(tx, rewards, reward_id, occurrence=occurrence, **values)


async def _complete_without_call(tx: Tx, context: ReferralContext, reward: RewardRow) -> None:
    """Grant or roll back a reward whose whole amount repays what the customer owes."""
    if reward.state == RewardState.ROLLING_BACK:
        await close_rolled_back(tx, context, reward, reward.reason or "Rolled back.")
    else:
        await _complete_grant(tx, context, reward, None)


async def _complete_grant(
    tx: Tx, context: ReferralContext, reward: RewardRow, reference: str | None
) -> None:
    repaid = {reward.id: reward.repaid or 0}
    await granting.mark_granted(tx, context, [reward], reference, repaid)
    if await lookups.is_undone(tx, context):
        await _start_roll_back(tx, context, reward, "Rolled back while being granted.")
    await granting.complete_referral(tx, context)


async def _start_roll_back(
    tx: Tx, context: ReferralContext, reward: RewardRow, reason: str
) -> None:
    """Roll back a reward whose referral or milestone was undone while the provider granted it."""
    with_referral = context.milestone is None
    values = RESET_ATTEMPTS | {"reason": reason, "undone_with_referral": with_referral}
    await set_reward(tx, reward, RewardState.ROLLING_BACK, **values)


async def lock_reward(tx: Tx, reward_id: str, now: datetime) -> tuple[ReferralContext, RewardRow]:
    """Lock the advocate of a reward; return the context and the reward as read under the lock."""
    reward = await _get(tx, reward_id)
    if reward.referral_id:
        context, _ = await lookups.lock_context(tx, reward.referral_id, SYSTEM_ACTOR, now)
    else:
        reached_by = (await get(tx, milestones, id=reward.milestone_id)).reached_by
        context = await lookups.lock_milestone_context(
            tx, required(reward.milestone_id), reached_by, SYSTEM_ACTOR, now
        )
    return context, await _get(tx, reward_id)


async def _get(tx: Tx, reward_id: str) -> RewardRow:
    return await get(tx, rewards, id=reward_id)
