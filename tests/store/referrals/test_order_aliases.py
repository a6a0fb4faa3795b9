"""Order events of a payment provider whose orders are those of a shop, before and after the order's conversion."""

import asyncio
from typing import Any

import pytest

from referrals.store import Store, schema
from tests.harness.campaigns import campaign
from tests.harness.store_harness import StoreHarness

MINIMUM = {"name": "minimum", "when": "order.amount >= 80.0", "message": "At least 80."}
CANCELLED, REINSTATED = "order_cancelled", "order_reinstated"


@pytest.fixture
async def shop(store: Store) -> StoreHarness:
    harness = StoreHarness(store)
    harness.order_aliases = {"stripe": "shop", "paypal": "shop"}
    await harness.apply(campaign(conversion={"rules": [MINIMUM]}))
    return harness


async def change(
    shop: StoreHarness, kind: str, source: str, order: str = "1", **more: Any
) -> list[str]:
    response = await shop.event(kind, {"order": {"id": order}} | more, source=source)
    return [effect["effect"] for effect in response["effects"]]


async def refund(shop: StoreHarness, source: str, refund_id: str, amount: str) -> list[str]:
    return await change(shop, "order_refunded", source, refund={"id": refund_id, "amount": amount})


async def known_orders(shop: StoreHarness) -> dict[str, bool]:
    return {row.source: row.is_known for row in await shop.all(schema.orders)}


async def test_what_a_provider_said_before_the_conversion_is_taken_up(shop: StoreHarness):
    code = await shop.publish("spring", "ada")
    assert await change(shop, CANCELLED, "stripe") == ["unknown_order"]

    answer = await shop.convert(code, "fay", order="1")

    assert answer["reason"]["code"] == "order_cancelled"
    assert await known_orders(shop) == {"shop": True}
    assert await change(shop, REINSTATED, "stripe") == ["reinstated"]
    assert await shop.balance("ada") == 100


async def test_what_several_sources_said_adds_up(shop: StoreHarness):
    code = await shop.publish("spring", "ada")
    for source, refund_id in (("stripe", "a"), ("paypal", "b"), ("shop", "a"), ("shop", "c")):
        assert await refund(shop, source, refund_id, "7.00") == ["unknown_order"]
    assert await known_orders(shop) == {"shop": False, "stripe": False, "paypal": False}

    answer = await shop.convert(code, "fay", order="1")

    assert answer["reason"]["code"] == "no_longer_qualifies"  # 79 of 100 are left
    assert await known_orders(shop) == {"shop": True}


async def test_an_order_of_the_providers_own_is_not_taken_up(shop: StoreHarness):
    code = await shop.publish("spring", "ada")
    await shop.convert(code, "fay", order="1", source="stripe")
    await change(shop, CANCELLED, "paypal", "2")

    assert (await shop.convert(code, "gus", order="1"))["decision"] == "accepted"
    assert await change(shop, CANCELLED, "stripe") == ["rolled_back"]
    assert [await shop.balance(name) for name in ("fay", "gus")] == [0, 50]
    assert await known_orders(shop) == {"shop": True, "stripe": True, "paypal": False}


async def test_a_conversion_and_a_providers_event_at_once_miss_each_other_never(
    shop: StoreHarness,
):
    code = await shop.publish("spring", "ada")
    numbers = [str(number) for number in range(6)]
    await asyncio.gather(
        *(shop.convert(code, f"friend-{number}", order=number) for number in numbers),
        *(change(shop, CANCELLED, "stripe", number) for number in numbers),
    )

    states = {row.state for row in await shop.all(schema.referrals)}
    assert states <= {"rejected", "rolled_back"}
    assert len(await shop.all(schema.orders)) == len(numbers)
    assert await shop.balance("ada") == 0
