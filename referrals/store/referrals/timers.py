"""End the waits: an attribution window closes, a hold is over, or the rewards that a cooldown delayed are due."""

from datetime import datetime

from referrals.domain.states import COUNTS_TOWARD_TIERS, ReferralState
from referrals.store import lookups
from referrals.store.db.columns import required
from referrals.store.db.sql import Tx
from referrals.store.referrals.confirmation import confirm_if_due
from referrals.store.referrals.signups import expire
from referrals.store.rewards.granting import grant_due


async def process_due(tx: Tx, workflow_id: str, actor: str, now: datetime) -> None:
    """Expire or confirm the live referral of the workflow, or grant its rewards, if their time has come."""
    found = await lookups.find_live_referral_of_workflow(tx, workflow_id)
    if found is None:
        return
    context, referral = await lookups.lock_context(tx, found.id, actor, now)
    if referral.state == ReferralState.SIGNED_UP and required(referral.window_ends_at) <= now:
        await expire(tx, context)
    elif referral.state in COUNTS_TOWARD_TIERS:
        await grant_due(tx, context)
    else:
        await confirm_if_due(tx, context, referral)
