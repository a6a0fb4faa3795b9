"""Release the friend of a conversion that was rolled back because of its order: the friend may be referred again."""

from datetime import datetime

from sqlalchemy import bindparam, or_, select

from referrals.domain.reasons import REASONS_OF_ORDERS
from referrals.domain.states import ReferralState, RewardState
from referrals.store.campaigns import versions
from referrals.store.codes.clicks import CLICK_IF_FREE
from referrals.store.customers import same_person
from referrals.store.db.sql import Tx, first, rows_of
from referrals.store.ledger import debts
from referrals.store.schema import ReferralRow, coupons, customers, referrals, rewards
from referrals.store.schema.referrals import LIVE


async def release_friend(tx: Tx, referral: ReferralRow, now: datetime) -> bool:
    """Release the friend if the roll-back allows it; return whether the referral no longer binds the friend.

    A roll-back by an operator is final, as is every roll-back if the campaign says so. Otherwise everything that was
    granted has to be recovered: taken back or repaid, with no coupon redeemed. The friend stays bound while a referral
    stands that this one superseded in a merge.
    """
    if referral.state != ReferralState.ROLLED_BACK or referral.reason_code not in REASONS_OF_ORDERS:
        return False
    campaign = await versions.get_version(tx, referral.campaign_id, referral.version)
    if campaign.conversion.after_refund == "final":
        return False
    if await first(tx, _UNRECOVERED, referral_id=referral.id) or await debts.is_owed(
        tx, rewards.c.referral_id == referral.id
    ):
        return False
    own = {"referral_id": referral.id, "friend_id": referral.friend_id}
    for superseded in await rows_of(tx, ReferralRow, _SUPERSEDED, **own):
        if not await release_friend(tx, superseded, now):
            return False
    return await first(tx, _RELEASE, row_id=referral.id, now=now) is not None


_UNRECOVERED = (
    select(rewards.c.id)
    .outerjoin(coupons, coupons.c.reward_id == rewards.c.id)
    .where(
        rewards.c.referral_id == bindparam("referral_id"),
        or_(
            rewards.c.state.not_in([RewardState.VOIDED, RewardState.ROLLED_BACK]),
            coupons.c.state == "redeemed",
        ),
    )
    .limit(1)
)
_SUPERSEDED = select(referrals).where(
    referrals.c.friend_id == bindparam("friend_id"),
    referrals.c.superseded_by == bindparam("referral_id"),
    LIVE,
)
_RELEASE = (
    referrals.update()
    .where(
        referrals.c.id == bindparam("row_id"),
        referrals.c.state == ReferralState.ROLLED_BACK,
        referrals.c.released_at.is_(None),
    )
    .values(released_at=bindparam("now"))
    .returning(referrals.c.id)
)
"""Conditional, because another transaction may be reinstating the referral."""


async def bind_friend(tx: Tx, referral_id: str) -> None:
    """Revoke the release of the friend. Neither the friend nor the order may count for another referral."""
    await tx.execute(_BIND, {"row_id": referral_id})


_BIND = (
    referrals.update()
    .where(referrals.c.id == bindparam("row_id"))
    .values(released_at=None, click_id=CLICK_IF_FREE)
)


async def release_person(tx: Tx, friend_id: str, now: datetime) -> None:
    """Release the person, as known by any id, from conversions that were rolled back."""
    for referral in await same_person.list_rolled_back(tx, friend_id):
        await release_friend(tx, referral, now)


async def is_undone_purchase(tx: Tx, customer_id: str, at: datetime) -> bool:
    """Check whether a person became a customer by a conversion that was returned or rejected, and by no other before `at`."""
    return await first(tx, _UNDONE, customer_id=customer_id, at=at) is not None


_UNDONE = (
    select(referrals.c.id)
    .select_from(referrals.join(customers, same_person.UNDONE_PURCHASE))
    .where(customers.c.id == bindparam("customer_id"))
)
