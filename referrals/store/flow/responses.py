"""The answer to an event, as the contract writes it. It is stored with the event and given to every repeat."""

from typing import Any

from sqlalchemy import Row

from referrals.domain.reasons import Reason
from referrals.domain.states import AWAITING_CONFIRMATION, Decision, ReferralState
from referrals.store.db.sql import Tx, rows
from referrals.store.inbox import inbox_events
from referrals.store.rewards.reward_rows import OF_REFERRAL, amount_text


async def give(
    tx: Tx,
    event: Row[Any],
    decision: Decision,
    *,
    referral_id: str | None = None,
    reason: Reason | None = None,
    promises: bool = True,
    **more: Any,
) -> dict[str, Any]:
    """Store and return the answer to `event`, with the rewards that its referral promises, where it can have some."""
    accepted = decision != Decision.REJECTED
    answer = {
        "event": event.external_id,
        "referral": referral_id,
        "decision": decision,
        "reason": reason.as_dict() if reason else None,
        "rewards": await _promised(tx, referral_id) if promises and accepted else [],
        **more,
    }
    await inbox_events.answer(tx, event.id, answer)
    return answer


def decision_for(state: str) -> Decision:
    """What an accepted conversion in this state is told."""
    if state == ReferralState.DEFERRED:
        return Decision.DEFERRED
    return Decision.HELD if state in AWAITING_CONFIRMATION else Decision.ACCEPTED


async def _promised(tx: Tx, referral_id: str | None) -> list[dict[str, Any]]:
    if referral_id is None:
        return []
    return [brief(row) for row in await rows(tx, OF_REFERRAL, referral_id=referral_id)]


def brief(reward: Row[Any]) -> dict[str, Any]:
    """A reward inside an answer."""
    return {
        "id": reward.id,
        "side": reward.side,
        "type": reward.type,
        "amount": amount_text(reward.amount, reward.currency),
        "currency": reward.currency,
        "state": reward.state,
        "due_at": reward.due_at.isoformat() if reward.due_at else None,
    }
