"""Release the friend of a conversion that was rolled back because of its order: the friend may be referred again."""

from datetime import datetime

from sqlalchemy import bindparam, or_, select

from referrals.domain.reasons import REASONS_OF_ORDERS
from referrals.domain.states import ReferralState, RewardState
from referrals.store.campaigns import versions
from referrals.store.customers import same_person
from referrals.store.db.sql import Tx, first
from referrals.store.ledger import debts
from referrals.store.schema import ReferralRow, coupons, customers, referrals, rewards


async def release_friend(tx: Tx, referral: ReferralRow, now: datetime) -> bool:
    """Release the friend if the roll-back allows it; return whether the referral no longer binds the friend.

    A roll-back by an operator is final, as is every roll-back if the campaign says so. Otherwise everything that was
    granted has to be recovered: taken back or repaid, with no coupon redeemed.
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


async def release_person(tx: Tx, friend_id: str, campaign_id: str, now: datetime) -> None:
    """Release the same person, as known by other ids, from conversions that were rolled back."""
    for referral in await same_person.list_rolled_back(tx, friend_id, campaign_id):
        await release_friend(tx, referral, now)


async def is_returned_purchase(tx: Tx, customer_id: str) -> bool:
    """Check whether a person became a customer by an order that was returned, and was released from its referral."""
    return await first(tx, _RETURNED, customer_id=customer_id) is not None


_RETURNED = (
    select(referrals.c.id)
    .join(customers, same_person.RETURNED_PURCHASE)
    .where(customers.c.id == bindparam("customer_id"))
)
