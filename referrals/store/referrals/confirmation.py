"""Confirmation, the second stage of a conversion: hold and review are over, so it counts and its rewards are granted."""

from referrals.domain.states import ReferralState
from referrals.store.activity.context import ReferralContext
from referrals.store.db.columns import required
from referrals.store.db.sql import Tx
from referrals.store.referrals import milestones
from referrals.store.referrals.state import set_state
from referrals.store.rewards import granting
from referrals.store.schema import ReferralRow


async def confirm(tx: Tx, context: ReferralContext) -> None:
    """Count the conversion toward the advocate's tiers, and grant the rewards that are due."""
    referral_id = str(context.referral_id)
    await set_state(tx, referral_id, ReferralState.CONFIRMED, confirmed_at=context.now)
    await milestones.count_confirmed(tx, context)
    await granting.grant_due(tx, context)


async def confirm_if_due(tx: Tx, context: ReferralContext, referral: ReferralRow) -> bool:
    """Confirm a held conversion whose hold is over; returns whether it was confirmed."""
    due = referral.state == ReferralState.HELD and required(referral.due_at) <= context.now
    if due:
        await confirm(tx, context)
    return due
