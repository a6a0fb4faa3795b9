"""An operator's approval or rejection of a conversion in review."""

from datetime import datetime

from referrals.domain.reasons import Reason, RejectReason
from referrals.domain.states import ReferralState
from referrals.errors import NotPossibleError
from referrals.store import lookups
from referrals.store.activity.context import ReferralContext
from referrals.store.activity.log import publish
from referrals.store.db.columns import required
from referrals.store.db.sql import Tx
from referrals.store.inbox import inbox_events
from referrals.store.inbox.outcome import Outcome
from referrals.store.referrals.confirmation import confirm
from referrals.store.referrals.roll_backs import reject_referral
from referrals.store.referrals.state import set_state
from referrals.store.schema import ReferralRow


async def review(tx: Tx, event_id: str, now: datetime) -> Outcome:
    """Approve or reject a conversion on an operator's command; a repeat changes nothing. Raises NotPossibleError."""
    event = await inbox_events.lock(tx, event_id)
    context, referral = await lookups.lock_context(tx, event.data["referral"], event.actor, now)
    if not event.response:
        if referral.state != ReferralState.IN_REVIEW:
            raise NotPossibleError(f"The referral is {referral.state}, not in review.")
        if event.type == "approve":
            await _approve(tx, context, referral)
        else:
            await _reject(tx, context, referral, event.data["reason"])
    return Outcome(event, referral_id=referral.id)


async def _approve(tx: Tx, context: ReferralContext, referral: ReferralRow) -> None:
    await set_state(tx, referral.id, ReferralState.HELD, reason_code=None, reason=None)
    due_at = required(referral.due_at)
    data = {"until": due_at.isoformat(), "approved": True}
    publish(tx, context, "referral_held", data=data)
    if due_at <= context.now:
        await confirm(tx, context)


async def _reject(tx: Tx, context: ReferralContext, referral: ReferralRow, message: str) -> None:
    await reject_referral(tx, context, referral, Reason(RejectReason.REJECTED_BY_REVIEW, message))
