"""Coupons, one per reward: issued once, redeemed once, and void if the reward is rolled back."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Select, bindparam, case, select

from referrals.domain.codes import DEFAULT_CHARSET, code_key, generate_code
from referrals.domain.discounts import CouponTerms, Discount
from referrals.domain.money import format_amount
from referrals.domain.order_events import Order
from referrals.domain.requests import OrderTotal
from referrals.domain.states import RewardState
from referrals.domain.stored import read_stored
from referrals.errors import (
    CouponNotRedeemableError,
    IdempotencyKeyReusedError,
    NoCouponError,
    UnknownCouponError,
)
from referrals.store import views
from referrals.store.db.columns import required
from referrals.store.db.sql import (
    Tx,
    add,
    find,
    first,
    first_of,
    get,
    insert,
    locked,
    one,
    one_of,
    rows_of,
)
from referrals.store.schema import (
    CouponRedemptionRow,
    CouponRow,
    RewardRow,
    campaigns,
    coupon_redemptions,
    coupons,
    rewards,
)
from referrals.store.schema.base import Instant

MAX_CODE_ATTEMPTS = 20
"""Attempts to generate an unused code; if all fail, the pattern needs more characters."""

POOL_EMPTY = "pool_empty"


async def issue(tx: Tx, reward: RewardRow, now: datetime) -> str:
    """Issue a coupon to the reward's customer, from the pool or by the pattern, and return its code.

    A coupon that was redeemed before its reward was rolled back counts for the next occurrence of the reward.

    Raises:
        NoCouponError: the pool is empty, or the pattern is exhausted.
    """
    if reward.occurrence > 1 and (
        redeemed := await first_of(tx, CouponRow, _select_redeemed_before(reward))
    ):
        await _set_state(tx, redeemed.code, reward_id=reward.id)
        return redeemed.code
    terms = read_stored(CouponTerms, reward.target)
    values = {
        "state": "issued",
        "reward_id": reward.id,
        "customer_id": reward.customer_id,
        "discount": required(reward.target)["discount"],
        "expires_at": now + terms.valid_for if terms.valid_for else None,
        "issued_at": now,
    }
    if terms.pattern:
        values |= {"campaign_id": reward.campaign_id, "created_at": now}
        return await _generate(tx, terms.pattern, values)
    code = await _lock_available(tx, reward.campaign_id, str(terms.pool))
    await tx.execute(coupons.update().where(coupons.c.code == code).values(values))
    return code


def _select_redeemed_before(reward: RewardRow) -> Select[*tuple[Any, ...]]:
    """Select the redeemed coupon of an earlier occurrence of the reward that was rolled back."""
    earlier = select(rewards.c.id).where(
        rewards.c.key_prefix == reward.key_prefix, rewards.c.state == RewardState.ROLLED_BACK
    )
    redeemed = (coupons.c.state == "redeemed") & coupons.c.reward_id.in_(earlier)
    return select(coupons).where(redeemed).order_by(coupons.c.code).limit(1).with_for_update()


async def _lock_available(tx: Tx, campaign_id: str, pool: str) -> str:
    """Lock an available coupon and return its code."""
    available = (
        select(coupons.c.code)
        .where(
            coupons.c.campaign_id == campaign_id,
            coupons.c.pool == pool,
            coupons.c.state == "available",
        )
        .order_by(coupons.c.code)
        .limit(1)
    )
    found = await first(tx, available.with_for_update(skip_locked=True))
    if found is None:
        # A skipped coupon may become available again, and an import, which holds this lock, may be about to commit.
        await one(tx, locked(select(campaigns.c.id).where(campaigns.c.id == campaign_id)))
        found = await first(tx, available.with_for_update())
    if found is None:
        raise NoCouponError(POOL_EMPTY, f"The coupon pool {pool} is empty.")
    return found[0]


async def _generate(tx: Tx, pattern: str, values: dict[str, Any]) -> str:
    for _ in range(MAX_CODE_ATTEMPTS):
        code = generate_code(pattern, DEFAULT_CHARSET)
        statement = insert(tx, coupons).values(code=code, key=code_key(code), **values)
        statement = statement.on_conflict_do_nothing(index_elements=["key"])
        if row := await first_of(tx, CouponRow, statement.returning(coupons.c.code)):
            return row.code
    raise NoCouponError("pattern_exhausted", f"No free coupon of the pattern {pattern} is left.")


async def void(tx: Tx, reward_id: str, now: datetime) -> bool:
    """Void the reward's coupon; return False if it is already redeemed. Either way its row is locked."""
    return (await one_of(tx, CouponRow, _VOID, owner=reward_id, now=now)).state == "void"


_ISSUED = coupons.c.state == "issued"
_VOID = (
    coupons.update()
    .where(coupons.c.reward_id == bindparam("owner"))
    .values(
        state=case((_ISSUED, "void"), else_=coupons.c.state),
        voided_at=case((_ISSUED, bindparam("now", type_=Instant)), else_=coupons.c.voided_at),
    )
    .returning(coupons.c.state)
)


async def redeem(
    tx: Tx, ids: Sequence[str], code: str, key: str, order: OrderTotal | None, now: datetime
) -> None:
    """Redeem a coupon of the customer, whose row is locked; a repeat with the same key changes nothing.

    `ids` are all ids of the customer; a key that several of them used belongs to the first. The code is read in
    any spelling. The discount's terms are checked if the `order` is known.

    Raises:
        UnknownCouponError, CouponNotRedeemableError, IdempotencyKeyReusedError.
    """
    coupon = await find(tx, coupons, lock=True, key=code_key(code))
    if coupon is None or coupon.state == "available":
        raise UnknownCouponError(code)
    used = await _find_redemption(tx, ids, key)
    if used and (used.code != coupon.code or used.reversed_at):
        raise IdempotencyKeyReusedError(key)
    if used:
        return
    if message := _not_redeemable(coupon, ids, now) or _refusal(coupon, order):
        raise CouponNotRedeemableError(message)
    await _set_state(tx, coupon.code, state="redeemed", redeemed_at=now)
    used_now = {"key": key, "code": coupon.code, "redeemed_at": now}
    await add(tx, coupon_redemptions, used_now | {"customer_id": coupon.customer_id})


async def _find_redemption(tx: Tx, ids: Sequence[str], key: str) -> CouponRedemptionRow | None:
    own = coupon_redemptions.c.customer_id.in_(ids) & (coupon_redemptions.c.key == key)
    named_first = (coupon_redemptions.c.customer_id == ids[0]).desc()
    statement = select(coupon_redemptions).where(own).order_by(named_first)
    return await first_of(tx, CouponRedemptionRow, statement)


async def reverse_redemption(
    tx: Tx, ids: Sequence[str], key: str, reason: str, now: datetime
) -> bool:
    """Give a redeemed coupon back, once; return whether the customer, whose row is locked, redeemed one by the key.

    `ids` are all ids of the customer. A coupon whose reward was rolled back meanwhile is void.
    """
    used = await _find_redemption(tx, ids, key)
    if used is None or used.reversed_at:
        return used is not None
    coupon = await get(tx, coupons, lock=True, code=used.code)
    reward = await get(tx, rewards, id=coupon.reward_id)
    if reward.state == RewardState.GRANTED:
        await _set_state(tx, used.code, state="issued", redeemed_at=None)
    else:
        await _set_state(tx, used.code, state="void", redeemed_at=None, voided_at=now)
    own = (coupon_redemptions.c.customer_id == used.customer_id) & (coupon_redemptions.c.key == key)
    reversal = coupon_redemptions.update().where(own).values(reversed_at=now, reason=reason)
    await tx.execute(reversal)
    return True


async def _set_state(tx: Tx, code: str, **values: Any) -> None:
    await tx.execute(coupons.update().where(coupons.c.code == code).values(values))


def _not_redeemable(coupon: CouponRow, ids: Sequence[str], now: datetime) -> str | None:
    if coupon.customer_id not in ids:
        return "The coupon belongs to another customer."
    if coupon.state == "redeemed":
        return "The coupon is already redeemed."
    if coupon.state == "void":
        return "The coupon was withdrawn."
    if coupon.expires_at and coupon.expires_at <= now:
        return f"The coupon expired at {coupon.expires_at:%Y-%m-%d %H:%M} UTC."
    return None


def _refusal(coupon: CouponRow, order: OrderTotal | None) -> str | None:
    """Return why the coupon does not apply to the order, if that is known."""
    if order is None:
        return None
    return read_stored(Discount, coupon.discount).refusal(order.currency, order.minor)


async def list_coupons(tx: Tx, ids: Sequence[str]) -> list[views.Coupon]:
    """Return the coupons of the customer for whom the ids stand, latest first."""
    statement = select(coupons).where(coupons.c.customer_id.in_(ids))
    order = (coupons.c.issued_at.desc(), coupons.c.code)
    return [
        views.Coupon(
            row.code,
            required(row.discount),
            row.state,
            row.expires_at,
            required(row.reward_id),
        )
        for row in await rows_of(tx, CouponRow, statement.order_by(*order))
    ]


async def applied_discount(tx: Tx, referral_id: str, order: Order | None) -> dict[str, Any]:
    """Return the discount of the friend's issued coupon on the order, as `discount` for the response."""
    statement = (
        select(coupons)
        .join(rewards, rewards.c.id == coupons.c.reward_id)
        .where(
            rewards.c.referral_id == referral_id,
            rewards.c.side == "friend",
            coupons.c.state == "issued",
        )
        # Rewards of the campaign come before rewards granted by a journey.
        .order_by(rewards.c.origin.startswith(referral_id).desc())
    )
    coupon = await first_of(tx, CouponRow, statement)
    if coupon is None or order is None:
        return {}
    discount = read_stored(Discount, coupon.discount)
    return {
        "discount": {
            "kind": discount.kind,
            "amount": format_amount(discount.on(order), order.currency),
            "currency": order.currency,
            "code": coupon.code,
            **discount.terms,
        }
    }
