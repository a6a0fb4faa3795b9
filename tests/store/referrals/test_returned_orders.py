"""A returned order binds neither its friend nor itself, and makes nobody a customer, in any campaign."""

from datetime import timedelta
from typing import Any

import pytest

from referrals.store import Store, schema
from tests.harness.campaigns import campaign
from tests.harness.store_harness import StoreHarness

NEW_ONLY = {"new_customers_only": True}


class Shop(StoreHarness):
    """Two campaigns, `spring` and `summer`, with a code of Ada's in each."""

    async def open(self, **conversion: Any) -> None:
        for name in ("spring", "summer"):
            await self.apply(campaign(name, conversion=conversion))
        self.codes = {name: await self.publish(name, "ada") for name in ("spring", "summer")}
        self.time += timedelta(minutes=10)

    async def buy(
        self, friend: str, order: str, code: str = "spring", **envelope: Any
    ) -> tuple[str, str | None]:
        """Return the decision about an order, and the code of its reason."""
        self.time += timedelta(minutes=1)
        answer = await self.convert(self.codes[code], friend, order=order, **envelope)
        return answer["decision"], (answer["reason"] or {}).get("code")


@pytest.fixture
def shop(store: Store) -> Shop:
    return Shop(store)


async def test_an_order_that_is_sold_again_counts_for_another_friend(shop: Shop):
    await shop.open()
    await shop.buy("fay", "o1")
    await shop.cancel("o1")
    assert await shop.buy("gus", "o1") == ("rejected", "order_cancelled")

    shop.time += timedelta(minutes=1)
    assert await shop.buy("hal", "o1", time=shop.time.isoformat()) == ("accepted", None)
    assert [await shop.balance(name) for name in ("ada", "fay", "hal")] == [100, 0, 50]


async def test_a_returned_order_makes_no_customer_in_another_campaign(shop: Shop):
    await shop.open(**NEW_ONLY)
    await shop.buy("fay", "o1")
    await shop.refund("o1")

    assert await shop.buy("fay", "o2", "summer") == ("accepted", None)


async def test_another_order_makes_a_customer_of_one_who_returned_the_first(shop: Shop):
    await shop.open(**NEW_ONLY)
    await shop.buy("fay", "o1")
    await shop.refund("o1")
    await shop.buy("fay", "o2")

    assert await shop.buy("fay", "o3", "summer") == ("rejected", "existing_customer")


async def test_a_conversion_that_was_rejected_by_review_makes_no_customer(shop: Shop):
    await shop.open(review="manual", **NEW_ONLY)
    await shop.buy("fay", "o1")
    (referral,) = await shop.all(schema.referrals)
    await shop.command("reject", referral.id)

    assert await shop.buy("fay", "o2") == ("held", None)


async def test_an_operators_roll_back_binds_a_friend_who_was_free(shop: Shop):
    await shop.open(rules=[{"name": "minimum", "when": "order.amount >= 80.0", "message": "No."}])
    await shop.buy("fay", "o1")
    (referral,) = await shop.all(schema.referrals)
    await shop.refund("o1")
    assert await shop.buy("fay", "o2", amount="70.00") == ("rejected", "rule_failed")

    await shop.roll_back(referral.id)

    assert await shop.buy("fay", "o3") == ("rejected", "already_referred")


async def test_an_operators_roll_back_leaves_alone_what_came_after(shop: Shop):
    await shop.open()
    await shop.buy("fay", "o1")
    (referral,) = await shop.all(schema.referrals)
    await shop.refund("o1")
    await shop.buy("fay", "o2")

    await shop.roll_back(referral.id)
    await shop.refund("o2")

    assert await shop.buy("fay", "o3") == ("accepted", None)


async def test_a_returned_order_does_not_go_before_another_in_a_merge(shop: Shop):
    await shop.open(hold="P14D")
    await shop.buy("fay", "o1")
    await shop.refund("o1")
    await shop.buy("guest", "o2")

    report = await shop.merge("fay", "guest")

    states = {row.state for row in await shop.all(schema.referrals)}
    assert (report["conflicts"], states) == ([], {"rolled_back", "held"})


async def test_a_friend_is_bound_by_the_other_referral_of_a_merge(shop: Shop):
    await shop.open()
    await shop.buy("fay", "o1")
    await shop.buy("guest", "o2")
    await shop.merge("fay", "guest")
    await shop.refund("o1")

    assert await shop.buy("fay", "o3") == ("rejected", "already_referred")
    await shop.refund("o2")
    assert await shop.buy("fay", "o3") == ("accepted", None)


async def test_a_click_that_brought_another_friend_meanwhile_stays_theirs(shop: Shop):
    await shop.open()
    click = await shop.click(shop.codes["spring"])
    for friend in ("fay", "gus"):
        order = {"id": f"order-of-{friend}", "amount": "100.00", "currency": "EUR"}
        data = {"click": click, "friend": {"id": friend}, "order": order}
        await shop.event("referral_converted", data)
        if friend == "fay":
            await shop.refund("order-of-fay")
            assert await shop.buy("fay", "o2") == ("accepted", None)
            await shop.refund("o2")

    response = await shop.event("order_reinstated", {"order": {"id": "order-of-fay"}})

    assert [effect["effect"] for effect in response["effects"]] == ["reinstated"]
    clicks = {
        row.friend_id: row.click_id for row in await shop.all(schema.referrals, state="rewarded")
    }
    assert sorted(map(str, clicks.values())) == sorted(["None", click])
