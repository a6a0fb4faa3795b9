"""The response to an event. It is stored with the event; `inbox.process` returns it for every repeat."""

from collections.abc import Awaitable, Callable
from typing import Any

from referrals.domain.states import Decision
from referrals.store.db.sql import Tx, rows_of
from referrals.store.flow.event_loop import handle_events
from referrals.store.inbox import inbox_events
from referrals.store.inbox.outcome import Outcome
from referrals.store.referrals import limits
from referrals.store.rewards import coupons
from referrals.store.rewards.reward_rows import REWARDS_OF_REFERRAL, amount_text
from referrals.store.schema import RewardRow

Decide = Callable[[Tx], Awaitable[Outcome | None]]


async def decide(tx: Tx, decision: Decide) -> dict[str, Any] | None:
    """Make a decision, handle its events and save the response. Return the response, if there is one."""
    outcome = await decision(tx)
    await handle_events(tx)
    if outcome and outcome.uncounted_referral:
        await limits.count_accepted(tx, outcome.uncounted_referral, 1)
    return await save(tx, outcome) if outcome else None


async def save(tx: Tx, outcome: Outcome) -> dict[str, Any]:
    """Store and return the response to the outcome's event, with the rewards of its referral."""
    event, order = outcome.event, outcome.discounted_order
    if event.response:
        return dict(event.response)
    response = {
        "event": event.external_id,
        "referral": outcome.referral_id,
        "decision": outcome.decision,
        "reason": outcome.reason.as_dict() if outcome.reason else None,
        "rewards": await _rewards(tx, outcome),
        "warnings": event.warnings,
        **outcome.details,
    }
    if order and outcome.referral_id:
        response |= await coupons.applied_discount(tx, outcome.referral_id, order)
    await inbox_events.save_response(tx, event.id, response)
    return response


async def _rewards(tx: Tx, outcome: Outcome) -> list[dict[str, Any]]:
    rejected = outcome.decision == Decision.REJECTED
    if rejected or not outcome.has_rewards or outcome.referral_id is None:
        return []
    found = await rows_of(tx, RewardRow, REWARDS_OF_REFERRAL, referral_id=outcome.referral_id)
    return [_reward_summary(reward) for reward in found]


def _reward_summary(reward: RewardRow) -> dict[str, Any]:
    return {
        "id": reward.id,
        "side": reward.side,
        "type": reward.type,
        "amount": amount_text(reward.amount, reward.currency),
        "currency": reward.currency,
        "state": reward.state,
        "due_at": reward.due_at.isoformat() if reward.due_at else None,
    }
