"""Coupons, one per reward: issued once, redeemed once, and void if the reward is rolled back."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import select

from referrals.domain.codes import DEFAULT_CHARSET, code_key, generate_code
from referrals.domain.discounts import CouponTerms, Discount
from referrals.domain.events import Order
from referrals.domain.money import format_amount
from referrals.domain.stored import read_stored
from referrals.errors import (
    CouponNotRedeemableError,
    IdempotencyKeyReusedError,
    NoCouponError,
    UnknownCouponError,
)
from referrals.store import views
from referrals.store.db.columns import required
from referrals.store.db.sql import Tx, first, first_of, insert, locked, one, rows_of
from referrals.store.schema import CouponRow, RewardRow, campaigns, coupons, rewards

MAX_CODE_ATTEMPTS = 20
"""Attempts to generate an unused code; if all fail, the pattern needs more characters."""

POOL_EMPTY = "pool_empty"


async def issue(tx: Tx, reward: RewardRow, now: datetime) -> str:
    """Issue a coupon to the reward's customer, from the pool or by the pattern, and return its code.

    Raises:
        NoCouponError: the pool is empty, or the pattern is exhausted.
    """
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
    """Void the reward's coupon; return False if it is already redeemed."""
    issued = (coupons.c.reward_id == reward_id) & (coupons.c.state == "issued")
    statement = coupons.update().where(issued).values(state="void", voided_at=now)
    return await first(tx, statement.returning(coupons.c.code)) is not None


async def redeem(tx: Tx, ids: Sequence[str], code: str, key: str, now: datetime) -> None:
    """Redeem a coupon of the customer, whose row is locked; a repeat with the same key changes nothing.

    `ids` stand for the customer; a key that several of them used belongs to the first. The code is read in
    any spelling.

    Raises:
        UnknownCouponError, CouponNotRedeemableError, IdempotencyKeyReusedError.
    """
    locked_coupon = select(coupons).where(coupons.c.key == code_key(code)).with_for_update()
    coupon = await first_of(tx, CouponRow, locked_coupon)
    if coupon is None or coupon.state == "available":
        raise UnknownCouponError(code)
    own = coupons.c.customer_id.in_(ids) & (coupons.c.redeem_key == key)
    named_first = (coupons.c.customer_id == ids[0]).desc()
    used = await first(tx, select(coupons.c.code).where(own).order_by(named_first))
    if used and used.code != coupon.code:
        raise IdempotencyKeyReusedError(key)
    if used:
        return
    if message := _not_redeemable(coupon, ids, now):
        raise CouponNotRedeemableError(message)
    values = {"state": "redeemed", "redeem_key": key, "redeemed_at": now}
    await tx.execute(coupons.update().where(coupons.c.code == coupon.code).values(values))


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
