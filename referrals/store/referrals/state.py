"""The state of a referral's row."""

from typing import Any

from referrals.domain.states import ReferralState
from referrals.store.db.sql import Tx, change
from referrals.store.schema import referrals


async def set_state(tx: Tx, referral_id: str, state: ReferralState, **values: Any) -> None:
    await change(tx, referrals, referral_id, state=state, **values)
