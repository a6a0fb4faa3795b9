"""Merging wallets, debts, coupons and the keys under which they were spent (docs/merging.md, "Wallets")."""

from collections import Counter
from datetime import timedelta
from typing import Any

import pytest

from referrals.domain.rewards import Asset
from referrals.errors import (
    CouponNotRedeemableError,
    IdempotencyKeyReusedError,
    InsufficientBalanceError,
)
from referrals.store import schema
from referrals.store.ledger import debts, expiry, redemptions
from referrals.store.reporting import wallets
from tests.harness.campaigns import EACH, campaign
from tests.harness.store_harness import StoreHarness

POINTS = Asset("points", None)
SPRING, SUMMER = "spring", "summer"


def paying(name: str, friend: dict[str, Any], **rewards: Any) -> dict[str, Any]:
    return campaign(name, rewards={"friend": friend, "tiers": [EACH]} | rewards)


async def pay(harness: StoreHarness, customer: str, name: str = SPRING) -> str:
    """Let the customer earn the friend's reward of a campaign and return the referral."""
    code = await harness.publish(name, f"advocate-of-{customer}")
    order = f"{name}-{customer}"
    return str((await harness.convert(code, customer, order=order, campaign=name))["referral"])


async def spend(
    harness: StoreHarness, customer: str, amount: int, key: str, asset: Asset = POINTS
) -> Any:
    async with harness.store.begin() as tx:
        return await wallets.redeem(tx, customer, asset, amount, key, "Spent", harness.now())


async def redeem(harness: StoreHarness, customer: str, coupon: str, key: str) -> Any:
    async with harness.store.begin() as tx:
        return await wallets.redeem_coupon(tx, customer, coupon, key, harness.now())


async def assert_books_balance(harness: StoreHarness) -> None:
    """Check that nothing is left with the merged customer, and that all accounts together are zero."""
    total: Counter[str] = Counter()
    owners = {row.id: row for row in await harness.all(schema.ledger_accounts)}
    for entry in await harness.all(schema.ledger_entries):
        total[entry.credit_id] += entry.amount
        total[entry.debit_id] -= entry.amount
    assert sum(total.values()) == 0
    guest = await harness.customer_id("guest")
    assert not any(
        amount
        for account, amount in total.items()
        if owners[account].owner == guest and owners[account].kind in ("wallet", "owed")
    )


async def test_points_and_credit_of_several_currencies_move(harness):
    await harness.apply(
        paying(SUMMER, {"type": "gift_credit", "amount": "5.00", "currency": "EUR"})
    )
    await harness.apply(
        paying("autumn", {"type": "gift_credit", "amount": "700", "currency": "JPY"})
    )
    for name in (SPRING, SUMMER, "autumn"):
        await pay(harness, "guest", name)
    await pay(harness, "ada")
    await spend(harness, "guest", 20, "order-1")
    report = await harness.merge("ada", "guest")
    assert await harness.balance("ada") == 50 + 30
    assert await harness.balance("ada", unit="EUR") == 500
    assert await harness.balance("ada", unit="JPY") == 700
    assert [each["moved"] for each in report["balances"]] == ["5.00", "700", "30"]
    memos = {entry.memo for entry in await harness.all(schema.ledger_entries)}
    assert not any("guest" in memo for memo in memos)  # the id may be an email address
    await assert_books_balance(harness)


async def test_each_grant_keeps_its_expiry(harness):
    for name, valid_for in ((SUMMER, "P10D"), ("autumn", "P20D")):
        await harness.apply(paying(name, {"type": "points", "amount": 50, "valid_for": valid_for}))
        await pay(harness, "guest", name)
    await pay(harness, "ada")
    await spend(harness, "guest", 20, "order-1")
    await harness.merge("ada", "guest")
    for days, balance in ((9, 130), (11, 100), (21, 50)):
        async with harness.store.begin() as tx:
            await expiry.expire_due(tx, harness.time + timedelta(days=days), 100)
        assert await harness.balance("ada") == balance
    await assert_books_balance(harness)


async def test_what_has_expired_by_the_merge_does_not_move(harness):
    await harness.apply(paying(SUMMER, {"type": "points", "amount": 50, "valid_for": "P10D"}))
    await pay(harness, "guest", SUMMER)
    harness.time += timedelta(days=11)
    await harness.merge("ada", "guest")
    assert await harness.balance("ada") == 0
    await assert_books_balance(harness)


async def in_debt(harness: StoreHarness, customer: str, name: str) -> None:
    """Let the customer owe 50 points: they were spent before their referral was rolled back."""
    referral = await pay(harness, customer, name)
    await spend(harness, customer, 50, f"order-{customer}")
    await harness.command("roll_back", referral)
    assert await harness.balance(customer, "owed") == -50


@pytest.mark.parametrize(("debtor", "creditor"), [("ada", "guest"), ("guest", "ada")])
async def test_a_balance_repays_a_debt(harness, debtor, creditor):
    await harness.apply(campaign(SUMMER))
    await in_debt(harness, debtor, SUMMER)
    await pay(harness, creditor)
    code = await harness.publish(SUMMER, creditor)
    await harness.convert(code, "fay", order="order-of-fay", campaign=SUMMER)
    await harness.merge("ada", "guest")
    assert await harness.balance("ada", "owed") == 0
    assert await harness.balance("ada") == 100
    await assert_books_balance(harness)


async def test_debts_add_up(harness):
    for name, customer in ((SUMMER, "ada"), ("autumn", "guest")):
        await harness.apply(campaign(name))
        await in_debt(harness, customer, name)
    report = await harness.merge("ada", "guest")
    assert await harness.balance("ada", "owed") == -100
    assert [(each["debt"], each["repaid"]) for each in report["balances"]] == [("50", "0")]
    await assert_books_balance(harness)


async def test_later_grants_repay_a_debt_that_moved(harness):
    await harness.apply(campaign(SUMMER))
    await in_debt(harness, "guest", SUMMER)
    await harness.merge("ada", "guest")
    of_ada = schema.rewards.c.customer_id == await harness.customer_id("ada")
    async with harness.store.read() as tx:
        assert await debts.is_owed(tx, of_ada)
    code = await harness.publish(SPRING, "ada")
    await harness.convert(code, "fay", order="order-of-fay", campaign=SPRING)
    assert await harness.balance("ada", "owed") == 0
    assert await harness.balance("ada") == 50
    async with harness.store.read() as tx:
        assert not await debts.is_owed(tx, of_ada)
    await assert_books_balance(harness)


async def test_spending_of_the_merged_customer_is_given_back_to_the_survivor(harness):
    await harness.apply(campaign(SUMMER))
    await harness.apply(campaign("autumn"))
    for name in (SPRING, SUMMER):
        await pay(harness, "guest", name)
    for number in (1, 2):
        await spend(harness, "guest", 40, f"order-{number}")
    await harness.merge("ada", "guest")
    for number in (1, 2):
        async with harness.store.begin() as tx:
            ada = await harness.customer_id("ada")
            ids = [await harness.customer_id("guest"), ada]
            assert await redemptions.reverse(
                tx, ada, ids, f"order-{number}", "Cancelled", harness.now()
            )
    assert await harness.balance("ada") == 100
    await harness.merge("eve", "ada")
    assert await harness.balance("eve") == 100
    await assert_books_balance(harness)


async def test_a_wallet_below_zero_reduces_the_survivors(harness):
    await harness.apply(
        campaign(SUMMER, rewards=campaign()["rewards"] | {"rollback": {"allow_negative": True}})
    )
    referral = await pay(harness, "guest", SUMMER)
    await spend(harness, "guest", 50, "order-1")
    await harness.command("roll_back", referral)
    await pay(harness, "ada")
    report = await harness.merge("ada", "guest")
    assert await harness.balance("ada") == 0
    assert report["balances"][0]["moved"] == "-50"
    await assert_books_balance(harness)


async def test_a_grant_that_is_rolled_back_later_is_taken_from_the_survivor(harness):
    referral = await pay(harness, "guest")
    await harness.apply(campaign(SUMMER))
    await pay(harness, "ada", SUMMER)
    await harness.merge("ada", "guest")
    await harness.command("roll_back", referral)
    assert await harness.balance("ada") == 50
    await assert_books_balance(harness)


async def test_a_redemption_repeated_under_either_id_spends_nothing(harness):
    await harness.apply(campaign(SUMMER))
    await pay(harness, "guest")
    await pay(harness, "ada", SUMMER)
    await spend(harness, "guest", 20, "order-1")
    await harness.merge("ada", "guest")
    for customer in ("guest", "ada"):
        await spend(harness, customer, 20, "order-1")
        assert await harness.balance("ada") == 80
    with pytest.raises(IdempotencyKeyReusedError):
        await spend(harness, "ada", 30, "order-1")
    await spend(harness, "guest", 10, "order-2")
    await spend(harness, "ada", 10, "order-2")
    assert await harness.balance("ada") == 70


async def test_a_key_that_both_used_belongs_to_the_id_that_is_asked(harness):
    await harness.apply(campaign(SUMMER))
    for customer, name, amount in (("guest", SPRING, 20), ("ada", SUMMER, 30)):
        await pay(harness, customer, name)
        await spend(harness, customer, amount, "order-1")
    await harness.merge("ada", "guest")
    await spend(harness, "guest", 20, "order-1")
    await spend(harness, "ada", 30, "order-1")
    assert await harness.balance("ada") == 50


async def test_the_merged_id_spends_from_the_survivors_wallet(harness):
    await pay(harness, "ada")
    await harness.merge("ada", "guest")
    wallet = await spend(harness, "guest", 50, "order-1")
    assert wallet.customer == "ada"
    with pytest.raises(InsufficientBalanceError):
        await spend(harness, "guest", 50, "order-2")


COUPON = {"type": "coupon", "discount": {"percent": 10}, "pattern": "TEN-######"}


async def test_coupons_are_redeemed_once_under_either_id(harness):
    coupons = {}
    for name, customer in ((SUMMER, "ada"), ("autumn", "guest")):
        await harness.apply(paying(name, COUPON))
        await pay(harness, customer, name)
        (coupons[customer],) = (
            row.code
            for row in await harness.all(schema.coupons)
            if row.code not in coupons.values()
        )
    await redeem(harness, "guest", coupons["guest"], "order-1")
    report = await harness.merge("ada", "guest")
    assert report["moved"]["coupons"] == 1
    wallet = await redeem(harness, "ada", coupons["guest"], "order-1")
    assert {coupon.code: coupon.state for coupon in wallet.coupons} == {
        coupons["ada"]: "issued",
        coupons["guest"]: "redeemed",
    }
    with pytest.raises(CouponNotRedeemableError):
        await redeem(harness, "ada", coupons["guest"], "order-2")
    await redeem(harness, "guest", coupons["ada"], "order-3")


async def test_a_coupon_key_that_both_used_gives_each_its_own_answer(harness):
    for name, customer in ((SUMMER, "ada"), ("autumn", "guest")):
        await harness.apply(paying(name, COUPON))
        await pay(harness, customer, name)
    codes = {row.customer_id: row.code for row in await harness.all(schema.coupons)}
    own = {customer: codes[await harness.customer_id(customer)] for customer in ("ada", "guest")}
    for customer, code in own.items():
        await redeem(harness, customer, code, "order-1")
    await harness.merge("ada", "guest")
    for customer, code in own.items():
        await redeem(harness, customer, code, "order-1")
