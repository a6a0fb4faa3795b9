"""Count accepted conversions toward the limits of the code and the campaign; those of the advocate are counted on demand."""

from datetime import datetime

from sqlalchemy import bindparam, func, select

from referrals.domain.qualification import LimitUsage
from referrals.domain.states import COUNTS_TOWARD_LIMITS
from referrals.store.activity.context import ReferralContext
from referrals.store.db.periods import within
from referrals.store.db.sql import Tx, one
from referrals.store.schema import ReferralRow, campaigns, codes, referrals


async def usage(
    tx: Tx, context: ReferralContext, campaign_conversions: int, at: datetime
) -> LimitUsage:
    """Count the advocate's accepted conversions. The advocate's row is locked, so the counts do not change meanwhile."""
    limits = context.campaign.limits
    accepted = (referrals.c.advocate_id == context.advocate.id) & referrals.c.state.in_(
        COUNTS_TOWARD_LIMITS
    )
    by_advocate, last_at = 0, None
    if limit := limits.per_advocate:
        counted = select(referrals.c.id).where(accepted).limit(limit.count)
        if limit.period:
            zone = context.campaign.zone
            counted = counted.where(*within(referrals.c.converted_at, limit.period, at, zone))
        by_advocate = int((await one(tx, select(func.count()).select_from(counted.subquery())))[0])
    if limits.cooldown:
        last_at = (await one(tx, select(func.max(referrals.c.rewardable_at)).where(accepted)))[0]
    return LimitUsage(campaign_conversions, by_advocate, last_at)


async def release(tx: Tx, referral: ReferralRow) -> None:
    """Stop counting a conversion that is no longer accepted; `referral` is its row from before."""
    if referral.state not in COUNTS_TOWARD_LIMITS:
        return
    await count_code_use(tx, referral, -1)
    await count_accepted(tx, referral, -1)


async def count_code_use(tx: Tx, referral: ReferralRow, by: int) -> None:
    await tx.execute(_COUNT_USE, {"used": referral.code, "by": by})


async def count_accepted(tx: Tx, referral: ReferralRow, by: int) -> None:
    """Count in the campaign. All of its conversions share that row, so call this late in a transaction."""
    await tx.execute(_COUNT_ACCEPTED, {"row_id": referral.campaign_id, "by": by})


_COUNT_USE = (
    codes.update()
    .where(codes.c.code == bindparam("used"))
    .values(uses=codes.c.uses + bindparam("by"))
)
_COUNT_ACCEPTED = (
    campaigns.update()
    .where(campaigns.c.id == bindparam("row_id"))
    .values(accepted_count=campaigns.c.accepted_count + bindparam("by"))
)
