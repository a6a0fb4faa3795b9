"""Decide whether a friend is known already: as a customer, as the advocate, or by a referral in the campaign."""

from datetime import datetime

from referrals.domain.identity import SamePerson
from referrals.domain.qualification import FriendFacts
from referrals.domain.states import ReferralState
from referrals.store.customers import same_person
from referrals.store.db.columns import required
from referrals.store.db.sql import Tx
from referrals.store.lookups import ResolvedCode
from referrals.store.referrals import releases
from referrals.store.schema import ReferralRow


async def friend_facts(
    tx: Tx,
    resolved: ResolvedCode,
    at: datetime,
    live: ReferralRow | None,
    *,
    order_used: bool = False,
) -> FriendFacts:
    """Collect the facts about the friend at `at`; `live` is the friend's live referral."""
    context, friend = resolved.context, resolved.friend
    assert friend is not None
    waiting = live is not None and live.state == ReferralState.SIGNED_UP
    since = friend.customer_since
    existing = since is not None and since < at
    if existing and context.campaign.conversion.new_customers_only:
        await releases.release_person(tx, friend.id, context.now)
        existing = not await releases.is_undone_purchase(tx, friend.id, at)
    return FriendFacts(
        is_advocate=context.advocate.customer_id == friend.id,
        already_referred=live is not None and not waiting,
        order_used=order_used,
        existing_customer=existing,
        signed_up=has_signed_up(live, context.code),
        signed_up_elsewhere=waiting and not has_signed_up(live, context.code),
        same_person=await _same_person(tx, resolved, at),
    )


async def _same_person(tx: Tx, resolved: ResolvedCode, at: datetime) -> SamePerson:
    """Return the facts about the friend's other ids, after releasing them from what was rolled back and recovered."""
    context, same = resolved.context, resolved.same_person
    conversion, friend_id = context.campaign.conversion, required(context.friend_id)
    is_known = same.already_referred or (conversion.new_customers_only and same.customer_since)
    if not is_known:
        return same
    await releases.release_person(tx, friend_id, context.now)
    return await same_person.without_undone_purchases(
        tx, resolved.code.code, friend_id, at, context.now
    )


def has_signed_up(live: ReferralRow | None, code: str | None) -> bool:
    """Check whether the friend signed up with this code and has not converted yet."""
    return live is not None and (live.state, live.code) == (ReferralState.SIGNED_UP, code)
