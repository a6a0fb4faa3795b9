"""Count accepted conversions toward the limits of the code and the campaign; those of the advocate are counted on demand."""

from sqlalchemy import bindparam

from referrals.domain.states import COUNTS_TOWARD_LIMITS
from referrals.store.db.sql import Tx
from referrals.store.schema import ReferralRow, campaigns, codes


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
