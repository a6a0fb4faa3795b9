"""The life of an order: corrected, cancelled, refunded and reinstated, and what that does to its referrals."""

from datetime import timedelta
from typing import Any

import pytest

from referrals.domain.rewards import Asset
from referrals.errors import (
    IdempotencyKeyReusedError,
    InsufficientBalanceError,
    NotPossibleError,
    UnknownRedemptionError,
)
from referrals.store import Store, schema
from referrals.store.reporting import wallets
from tests.harness.campaigns import EACH, POINTS_50, campaign, milestone
from tests.harness.store_harness import StoreHarness

MINIMUM = {"name": "minimum", "when": "order.amount >= 80.0", "message": "At least 80."}
COUPON = {"type": "coupon", "discount": {"percent": 20}, "pattern": "THANKS-####-####"}


class Shop(StoreHarness):
    """A campaign with Ada's code, and friends who order."""

    code: str

    async def open(self, **parts: Any) -> None:
        await self.apply(campaign(**parts))
        self.code = await self.publish("spring", "ada")

    async def buy(self, friend: str = "fay", order: str = "o1", **more: Any) -> dict[str, Any]:
        return await self.convert(self.code, friend, order=order, **more)

    async def change(self, kind: str, order: str = "o1", **more: Any) -> list[str]:
        """Send an order event. Return its effects."""
        envelope = {name: more.pop(name) for name in ("time", "source", "id") if name in more}
        of_order = more.pop("of_order", {})
        data = {"order": {"id": order} | of_order} | more
        response = await self.event(kind, data, **envelope)
        return [effect["effect"] for effect in response["effects"]]

    async def update(self, amount: str, **more: Any) -> list[str]:
        of_order = {"amount": amount, "currency": "EUR"}
        return await self.change("order_updated", of_order=of_order, **more)

    async def points(self, *customers: str) -> list[int]:
        return [await self.balance(customer) for customer in customers or ("ada", "fay")]

    async def spend(self, customer: str, amount: int, key: str) -> None:
        async with self.store.begin() as tx:
            asset = Asset("points", None)
            await wallets.redeem(tx, customer, asset, amount, key, "Spent", self.now())

    async def reverse(self, customer: str, key: str) -> Any:
        async with self.store.begin() as tx:
            return await wallets.reverse_redemption(tx, customer, key, "Cancelled", self.now())

    async def redeem_coupon(self, customer: str, code: str, key: str) -> None:
        async with self.store.begin() as tx:
            await wallets.redeem_coupon(tx, customer, code, key, self.now())


@pytest.fixture
def shop(store: Store) -> Shop:
    return Shop(store, repeat=True)


async def test_an_updated_order_is_evaluated_each_time(shop: Shop):
    await shop.open(conversion={"rules": [MINIMUM]})
    referral = (await shop.buy(amount="90.00"))["referral"]

    assert await shop.update("70.00") == ["rolled_back"]
    assert (await shop.reason(referral))[0] == "no_longer_qualifies"
    assert await shop.points() == [0, 0]
    assert await shop.update("85.00") == ["reinstated"]
    assert await shop.points() == [100, 50]
    assert await shop.update("95.00") == ["kept"]
    (row,) = await shop.all(schema.referrals)
    assert (row.state, row.reason_code, row.order_snapshot["amount"]) == ("rewarded", None, "95.00")


async def test_an_update_never_converts_what_was_rejected(shop: Shop):
    await shop.open(conversion={"rules": [MINIMUM]})
    assert (await shop.buy(amount="70.00"))["reason"]["code"] == "rule_failed"

    assert await shop.update("90.00") == []
    assert await shop.points() == [0, 0]


@pytest.mark.parametrize("kind", ["order_cancelled", "order_refunded"])
async def test_what_was_paid_after_all_is_reinstated_with_new_rewards(shop: Shop, kind: str):
    await shop.open(rewards={"friend": POINTS_50, "tiers": [EACH, milestone(1)]})
    referral = (await shop.buy())["referral"]
    await shop.complete_milestones()

    assert await shop.change(kind) == ["rolled_back"]
    await shop.complete_milestones()
    assert await shop.points() == [0, 0]
    assert await shop.change("order_reinstated") == ["reinstated"]
    await shop.complete_milestones()

    assert await shop.points() == [1100, 50]
    assert await shop.state(referral) == "rewarded"
    rewards = [(r.side, r.occurrence, r.state) for r in await shop.all(schema.rewards)]
    assert sorted(rewards) == sorted(
        (side, occurrence, state)
        for side in ("friend", "advocate", "advocate")
        for occurrence, state in ((1, "rolled_back"), (2, "granted"))
    )
    (code,) = await shop.all(schema.codes)
    (row,) = await shop.all(schema.campaigns)
    assert (code.uses, row.accepted_count) == (1, 1)


async def test_a_referral_on_hold_goes_on_with_its_hold(shop: Shop):
    await shop.open(conversion={"hold": "P14D"})
    await shop.buy()
    (held,) = await shop.all(schema.referrals)

    await shop.change("order_cancelled")
    assert await shop.change("order_reinstated") == ["reinstated"]

    (row,) = await shop.all(schema.referrals)
    assert (row.state, row.due_at) == ("held", held.due_at)
    due = {reward.due_at for reward in await shop.all(schema.rewards, state="pending")}
    assert due == {held.due_at}


async def test_a_conversion_overtaken_by_its_cancellation_is_decided_anew(shop: Shop):
    await shop.open()
    assert await shop.change("order_cancelled") == ["unknown_order"]

    answer = await shop.buy()
    assert (answer["decision"], answer["reason"]["code"]) == ("rejected", "order_cancelled")
    assert await shop.change("order_reinstated") == ["reinstated"]

    assert await shop.points() == [100, 50]
    assert await shop.state(answer["referral"]) == "rewarded"


async def test_a_sign_up_stays_open_while_its_order_is_cancelled(shop: Shop):
    await shop.open()
    await shop.sign_up(shop.code, "fay")
    await shop.change("order_refunded", "o1")

    answer = await shop.buy()
    assert answer["reason"]["code"] == "order_refunded"
    assert await shop.state(answer["referral"]) == "signed_up"
    assert (await shop.buy(order="o2"))["decision"] == "accepted"
    assert await shop.change("order_reinstated", "o1") == []
    assert await shop.points() == [100, 50]


async def test_a_conversion_later_than_the_cancellation_counts(shop: Shop):
    await shop.open()
    await shop.change("order_cancelled", time="2026-03-04T08:00:00Z")

    assert (await shop.buy(time="2026-03-04T09:00:00Z"))["decision"] == "accepted"


async def test_one_refund_from_two_sources_counts_once(shop: Shop):
    await shop.open(conversion={"rules": [MINIMUM]})
    await shop.buy()

    refund = {"id": "re_1", "amount": "20.00"}
    for source in ("shop", "api"):
        effects = await shop.change(
            "order_refunded", source=source, of_order={"source": "shop"}, refund=refund
        )
        assert effects == ["kept"]
    assert await shop.change("order_refunded", refund={"id": "re_2", "amount": "1"}) == [
        "rolled_back"
    ]


async def test_a_refund_above_the_order_is_a_whole_refund_with_a_warning(shop: Shop):
    await shop.open()
    await shop.buy(amount="100.00")

    response = await shop.event(
        "order_refunded", {"order": {"id": "o1"}, "refund": {"id": "r", "amount": "100.01"}}
    )

    assert [effect["effect"] for effect in response["effects"]] == ["rolled_back"]
    message = "the refunds of the order exceed its amount of 100.00 EUR"
    assert response["warnings"] == [{"field": "data.refund.amount", "message": message}]


async def test_an_order_number_of_another_source_is_another_order(shop: Shop):
    await shop.open()
    await shop.buy("fay", "100", source="shop-a")
    await shop.buy("gus", "100", source="shop-b")

    assert await shop.change("order_cancelled", "100", source="shop-b") == ["rolled_back"]
    assert await shop.points("fay", "gus") == [50, 0]
    assert await shop.change("order_cancelled", "100", source="shop-c") == ["unknown_order"]


async def test_a_friend_is_free_after_a_recovered_roll_back(shop: Shop):
    await shop.open(conversion={"new_customers_only": True})
    await shop.buy(order="o1")
    await shop.change("order_refunded", "o1")

    assert (await shop.buy(order="o2"))["decision"] == "accepted"
    assert await shop.points() == [100, 50]
    assert await shop.change("order_reinstated", "o1") == ["kept"]
    assert await shop.points() == [100, 50]


async def test_a_friend_is_not_free_while_something_is_owed(shop: Shop):
    await shop.open()
    await shop.buy(order="o1")
    await shop.spend("ada", 70, "k1")
    await shop.change("order_refunded", "o1")
    assert (await shop.buy(order="o2"))["reason"]["code"] == "already_referred"

    await shop.buy("gus", order="o3")

    assert [await shop.balance("ada", kind) for kind in ("wallet", "owed")] == [30, 0]
    assert (await shop.buy(order="o4"))["decision"] == "accepted"


async def test_a_friend_is_not_free_after_a_roll_back_that_is_final(shop: Shop):
    await shop.open(conversion={"after_refund": "final"})
    await shop.buy(order="o1")
    await shop.change("order_refunded", "o1")

    assert (await shop.buy(order="o2"))["reason"]["code"] == "already_referred"


async def test_an_operators_roll_back_is_final_until_reinstated(shop: Shop):
    await shop.open()
    referral = (await shop.buy(order="o1"))["referral"]
    await shop.roll_back(referral)
    assert (await shop.buy(order="o2"))["reason"]["code"] == "already_referred"
    assert await shop.change("order_reinstated", "o1") == ["kept"]

    await shop.command("reinstate", referral)

    assert await shop.points() == [100, 50]
    with pytest.raises(NotPossibleError):
        await shop.command("reinstate", referral)


async def test_an_operators_reinstatement_outlasts_the_cancellation_before_it(shop: Shop):
    await shop.open()
    referral = (await shop.buy())["referral"]
    await shop.change("order_cancelled")

    await shop.command("reinstate", referral)
    assert await shop.points() == [100, 50]
    shop.time += timedelta(minutes=1)
    assert await shop.change("order_refunded", refund={"id": "r", "amount": "1.00"}) == ["kept"]
    assert await shop.change("order_cancelled") == ["rolled_back"]


async def test_a_reinstatement_counts_even_where_limits_are_full(shop: Shop):
    limits = {"conversions": 1, "per_advocate": {"count": 1}, "budget": {"points": 150}}
    await shop.open(limits=limits, code={"uses": 1})
    await shop.buy("fay", "o1")
    await shop.change("order_cancelled", "o1")
    assert (await shop.buy("gus", "o2"))["decision"] == "accepted"

    assert await shop.change("order_reinstated", "o1") == ["reinstated"]

    assert await shop.points("ada", "fay", "gus") == [200, 50, 50]
    assert (await shop.buy("hal", "o3"))["decision"] == "rejected"


async def test_points_spent_before_a_roll_back_are_not_gained_by_the_reinstatement(shop: Shop):
    await shop.open()
    await shop.buy()
    for number in range(3):
        if await shop.balance("fay") > 0:
            await shop.spend("fay", 50, f"k{number}")
        await shop.change("order_cancelled")
        assert await shop.balance("fay", "owed") == -50
        await shop.change("order_reinstated")
        assert [await shop.balance("fay", kind) for kind in ("wallet", "owed")] == [0, 0]

    with pytest.raises(InsufficientBalanceError):
        await shop.spend("fay", 1, "more")


async def test_a_redeemed_coupon_counts_for_the_reinstated_reward(shop: Shop):
    await shop.open(rewards={"friend": COUPON, "tiers": []})
    coupon = (await shop.buy())["discount"]["code"]
    await shop.redeem_coupon("fay", coupon, "k1")
    await shop.change("order_cancelled")
    assert (await shop.buy(order="o2"))["reason"]["code"] == "already_referred"

    await shop.change("order_reinstated")

    ((code, state),) = [(row.code, row.state) for row in await shop.all(schema.coupons)]
    assert (code, state) == (coupon, "redeemed")
    await shop.reverse("fay", "k1")
    ((code, state),) = [(row.code, row.state) for row in await shop.all(schema.coupons)]
    assert (code, state) == (coupon, "issued")
    with pytest.raises(IdempotencyKeyReusedError):
        await shop.redeem_coupon("fay", coupon, "k1")


async def test_spending_is_reversed_once_by_its_key(shop: Shop):
    await shop.open()
    await shop.buy()
    await shop.spend("fay", 30, "order-9")

    for _ in range(2):
        await shop.reverse("fay", "order-9")

    assert await shop.points("fay") == [50]
    with pytest.raises(IdempotencyKeyReusedError):  # a repeat must not seem to be paid
        await shop.spend("fay", 30, "order-9")
    assert await shop.points("fay") == [50]
    with pytest.raises(UnknownRedemptionError):
        await shop.reverse("fay", "order-8")


async def test_reversed_spending_repays_the_debt_that_it_caused(shop: Shop):
    await shop.open()
    await shop.buy()
    await shop.spend("fay", 30, "k1")
    await shop.change("order_cancelled")
    assert await shop.balance("fay", "owed") == -30

    await shop.reverse("fay", "k1")

    assert [await shop.balance("fay", kind) for kind in ("wallet", "owed")] == [0, 0]
    assert (await shop.buy(order="o2"))["decision"] == "accepted"


async def test_a_reversed_redemption_of_a_coupon_that_was_withdrawn_leaves_it_void(shop: Shop):
    await shop.open(rewards={"friend": COUPON, "tiers": []})
    coupon = (await shop.buy())["discount"]["code"]
    await shop.redeem_coupon("fay", coupon, "k1")
    await shop.change("order_cancelled")

    await shop.reverse("fay", "k1")

    assert [row.state for row in await shop.all(schema.coupons)] == ["void"]
    assert (await shop.buy(order="o2"))["decision"] == "accepted"
