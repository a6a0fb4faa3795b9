"""Roll back accepted conversions, after a refund or on an operator's command; reject those that are not confirmed."""

from datetime import datetime
from typing import Any

from referrals.domain.reasons import Reason, RollBackReason
from referrals.domain.states import COUNTS_TOWARD_LIMITS, COUNTS_TOWARD_TIERS, ReferralState
from referrals.errors import NotPossibleError
from referrals.store import lookups
from referrals.store.activity.context import ReferralContext
from referrals.store.activity.log import publish
from referrals.store.db.sql import Tx, change
from referrals.store.inbox import inbox_events
from referrals.store.inbox.outcome import Outcome
from referrals.store.referrals import limits, milestones
from referrals.store.referrals.reinstatements import is_free, lock_friend
from referrals.store.referrals.releases import bind_friend, release_friend
from referrals.store.referrals.state import set_state
from referrals.store.rewards.roll_backs import roll_back_rewards
from referrals.store.schema import ReferralRow, referrals


async def roll_back_referral(
    tx: Tx, context: ReferralContext, referral: ReferralRow, reason: Reason
) -> None:
    """Undo an accepted conversion: its use of limits, its rewards, its count, and milestones that depended on it."""
    rolled_back = ReferralState.ROLLED_BACK
    await _close(tx, context, referral, rolled_back, reason, rolled_back_from=referral.state)
    if referral.state in COUNTS_TOWARD_TIERS:
        await milestones.uncount_confirmed(tx, context, reason)


async def reject_referral(
    tx: Tx, context: ReferralContext, referral: ReferralRow, reason: Reason
) -> None:
    """Reject a sign-up or a conversion that is not confirmed: it is no longer counted, and its rewards are voided."""
    await _close(tx, context, referral, ReferralState.REJECTED, reason)


async def _close(
    tx: Tx,
    context: ReferralContext,
    referral: ReferralRow,
    state: ReferralState,
    reason: Reason,
    **values: Any,
) -> None:
    await set_state(
        tx,
        referral.id,
        state,
        closed_at=context.now,
        reason_code=reason.code,
        reason=reason.message,
        **values,
    )
    await limits.release(tx, referral)
    publish(tx, context, f"referral_{state}", reason=reason)
    await roll_back_rewards(tx, context, reason)


async def roll_back_by_operator(tx: Tx, event_id: str, now: datetime) -> Outcome:
    """Roll a referral back on an operator's command; a repeat changes nothing. Raises NotPossibleError.

    One that was rolled back because of its order is final from then on, unless something else counts for the friend already.
    """
    event = await inbox_events.lock(tx, event_id)
    await lock_friend(tx, event.data["referral"])
    context, referral = await lookups.lock_context(tx, event.data["referral"], event.actor, now)
    if not event.response:
        reason = Reason(RollBackReason.ROLLED_BACK_BY_OPERATOR, event.data["reason"])
        if referral.state in COUNTS_TOWARD_LIMITS:
            await roll_back_referral(tx, context, referral, reason)
        elif referral.state != ReferralState.ROLLED_BACK:
            raise NotPossibleError(f"A referral that is {referral.state} has nothing to roll back.")
        else:
            await _make_final(tx, context, referral, reason)
    return Outcome(event, referral_id=referral.id)


async def _make_final(
    tx: Tx, context: ReferralContext, referral: ReferralRow, reason: Reason
) -> None:
    """Bind the friend and the order finally, unless something else counts for one of them already."""
    await release_friend(tx, referral, context.now)
    await change(tx, referrals, referral.id, reason_code=reason.code, reason=reason.message)
    if await is_free(tx, context, referral):
        await bind_friend(tx, referral.id)
