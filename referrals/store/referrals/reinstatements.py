"""Reinstate conversions: those rolled back, and those rejected only because of their order."""

from datetime import datetime
from enum import StrEnum

from sqlalchemy import bindparam

from referrals.domain.states import AWAITING_CONFIRMATION, ReferralState
from referrals.errors import NotPossibleError
from referrals.store import lookups
from referrals.store.activity.context import ReferralContext
from referrals.store.activity.log import publish
from referrals.store.codes.clicks import CLICK_IF_FREE
from referrals.store.customers import contacts, profiles, same_person
from referrals.store.db.columns import required
from referrals.store.db.sql import Tx, one_of
from referrals.store.inbox import inbox_events
from referrals.store.inbox.outcome import Outcome
from referrals.store.referrals import limits
from referrals.store.referrals.confirmation import confirm_if_due
from referrals.store.referrals.order_checks import find_referral_of_order
from referrals.store.referrals.releases import release_friend
from referrals.store.rewards import creation, renewal
from referrals.store.schema import ReferralRow, referrals


class Effect(StrEnum):
    """Effect of an order event or a reinstatement on a referral."""

    UNCHANGED = "kept"
    ROLLED_BACK = "rolled_back"
    REINSTATED = "reinstated"


async def reinstate(
    tx: Tx, context: ReferralContext, referral: ReferralRow, *, by_operator: bool = False
) -> Effect:
    """Let the conversion count again from its original time, with new occurrences of its rewards.

    It counts toward limits even where they are full. It stays as it is (`kept`) if the friend has another live
    referral, or if its order counts for another friend.
    """
    if not await is_free(tx, context, referral):
        return Effect.UNCHANGED
    before = referral.rolled_back_from
    restored = await one_of(
        tx,
        ReferralRow,
        _RESTORE,
        row_id=referral.id,
        state=before if before in AWAITING_CONFIRMATION else ReferralState.HELD,
        operator_at=context.now if by_operator else referral.reinstated_at,
    )
    await limits.count_code_use(tx, restored, 1)
    if referral.state == ReferralState.ROLLED_BACK:
        publish(tx, context, "referral_reinstated")
        await renewal.renew_rewards(tx, context)
    else:
        await _accept(tx, context, restored)
    await confirm_if_due(tx, context, restored)
    await limits.count_accepted(tx, restored, 1)
    return Effect.REINSTATED


async def reinstate_by_operator(tx: Tx, event_id: str, now: datetime) -> Outcome:
    """Reinstate a referral on an operator's command; a repeat changes nothing. Raises NotPossibleError."""
    event = await inbox_events.lock(tx, event_id)
    await lock_friend(tx, event.data["referral"])
    context, referral = await lookups.lock_context(tx, event.data["referral"], event.actor, now)
    if event.response:
        return Outcome(event, referral_id=referral.id)
    if referral.state != ReferralState.ROLLED_BACK:
        raise NotPossibleError(f"The referral is {referral.state}, not rolled_back.")
    effect = await reinstate(tx, context, referral, by_operator=True)
    return Outcome(event, referral_id=referral.id, details={"effect": effect})


async def lock_friend(tx: Tx, referral_id: str) -> None:
    """Lock the contacts of the friend, so that no decision about the same person is made meanwhile."""
    await contacts.lock(tx, (await lookups.get_referral(tx, referral_id)).friend_id)


async def is_free(tx: Tx, context: ReferralContext, referral: ReferralRow) -> bool:
    """Check that neither the friend, also under another id, nor the order counts for another referral."""
    live = await lookups.find_live_referral(tx, referral.campaign_id, referral.friend_id)
    is_other = live is not None and live.id not in (referral.id, referral.superseded_by)
    if live and is_other and not await release_friend(tx, live, context.now):
        return False
    only_once = context.campaign.conversion.same_person == "reject"
    if only_once and await same_person.is_counted(tx, referral.friend_id, referral.campaign_id):
        return False
    used_by = await find_referral_of_order(tx, context, referral.order_id)
    return used_by in (None, referral.id)


async def _accept(tx: Tx, context: ReferralContext, referral: ReferralRow) -> None:
    """Accept a conversion that was rejected only because of its order."""
    publish(tx, context, "referral_converted")
    due_at = required(referral.due_at)
    if due_at > context.now and referral.state != ReferralState.IN_REVIEW:
        publish(tx, context, "referral_held", data={"until": due_at.isoformat()})
    await creation.create_for_conversion(tx, context, referral)
    await profiles.mark_as_customer(tx, referral.friend_id, required(referral.converted_at))


_RESTORE = (
    referrals.update()
    .where(referrals.c.id == bindparam("row_id"))
    .values(
        state=bindparam("state"),
        reinstated_at=bindparam("operator_at"),
        closed_at=None,
        confirmed_at=None,
        reason_code=None,
        reason=None,
        released_at=None,
        click_id=CLICK_IF_FREE,
    )
    .returning(referrals)
)
