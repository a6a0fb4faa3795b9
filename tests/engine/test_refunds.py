"""Full and partial refunds, and their effect on rewards."""

from typing import Any

import pytest

from tests.harness.campaigns import campaign
from tests.harness.totals import spend
from tests.harness.world import World

sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)

MINIMUM = {
    "name": "minimum_order",
    "when": "order.amount >= 80",
    "message": "The order must reach 80.",
}


async def converted(world: World, **order: Any) -> str:
    """A rewarded conversion on order 7781, of 119.90 EUR, with a minimum of 80; returns its id."""
    await world.apply(campaign(conversion={"rules": [MINIMUM]}))
    code = await world.publish("spring", "ada")
    paid = {"id": "7781", "amount": "119.90", "currency": "EUR"} | order
    data = {"code": code, "friend": {"id": "fay"}, "order": paid}
    answer = await world.event("referral_converted", data)
    assert answer["decision"] == "accepted"
    return str(answer["referral"])


async def balances(world: World) -> tuple[int, int]:
    return await world.balance("ada"), await world.balance("fay")


async def test_a_partial_refund_that_leaves_a_qualifying_order_changes_nothing(world: World):
    referral = await converted(world)

    answer = await world.refund("7781", "39.90")

    assert answer["effects"] == [{"campaign": "spring", "referral": referral, "effect": "kept"}]
    assert await world.state(referral) == "rewarded"
    assert await balances(world) == (100, 50)


async def test_a_partial_refund_that_leaves_too_little_rolls_back_and_says_why(world: World):
    referral = await converted(world)

    await world.refund("7781", "39.91")

    assert await world.state(referral) == "rolled_back"
    assert await balances(world) == (0, 0)
    reason = await world.reason(referral)
    assert reason == (
        "no_longer_qualifies",
        "Order 7781, as it is now, does not qualify. The order must reach 80.",
    )


async def test_partial_refunds_add_up(world: World):
    referral = await converted(world)

    await world.refund("7781", "20.00")
    assert await world.state(referral) == "rewarded"
    await world.refund("7781", "20.00")

    assert await world.state(referral) == "rolled_back"
    assert await balances(world) == (0, 0)


@sqlite
async def test_a_repeated_refund_is_recorded_once(world: World):
    referral = await converted(world)

    for _ in range(3):
        await world.refund("7781", "20.00", id="refund-1")

    assert await world.state(referral) == "rewarded"


@sqlite
async def test_a_refund_of_all_in_parts_rolls_back_without_a_rule(world: World):
    await world.apply(campaign())
    code = await world.publish("spring", "ada")
    answer = await world.convert(code, "fay", amount="100.00", order="7781")

    await world.refund("7781", "99.99")
    assert await world.state(answer["referral"]) == "rewarded"
    await world.refund("7781", "0.01")

    assert await world.reason(answer["referral"]) == (
        "order_refunded",
        "Order 7781 was refunded.",
    )


async def test_a_full_refund_rolls_the_referral_back(world: World):
    referral = await converted(world)

    await world.refund("7781")

    assert await world.reason(referral) == ("order_refunded", "Order 7781 was refunded.")
    assert await balances(world) == (0, 0)


async def test_a_cancellation_rolls_back(world: World):
    referral = await converted(world)

    await world.cancel("7781")

    assert await world.reason(referral) == ("order_cancelled", "Order 7781 was cancelled.")
    assert await balances(world) == (0, 0)


@sqlite
async def test_the_refund_of_an_order_that_cost_nothing_rolls_back(world: World):
    await world.apply(campaign())
    code = await world.publish("spring", "ada")
    answer = await world.convert(code, "fay", amount="0.00", order="7781")
    assert answer["decision"] == "accepted"

    await world.refund("7781")

    assert await world.state(answer["referral"]) == "rolled_back"


@sqlite
async def test_an_order_in_yen_has_no_decimals_to_refund(world: World):
    referral = await converted(world, amount="1000", currency="JPY")

    await world.refund("7781", "920")
    assert await world.state(referral) == "rewarded"
    await world.refund("7781", "1")

    assert await world.state(referral) == "rolled_back"


@sqlite
async def test_a_refund_of_an_order_without_referral_changes_nothing(world: World):
    referral = await converted(world)

    answer = await world.refund("another")

    assert answer["effects"] == [{"campaign": None, "referral": None, "effect": "unknown_order"}]
    assert (answer["decision"], answer["reason"]["code"]) == (None, "unknown_order")
    assert await world.state(referral) == "rewarded"


async def test_a_friend_of_a_refunded_order_can_convert_again(world: World):
    await converted(world)
    await world.refund("7781")
    code = await world.publish("spring", "bob")

    answer = await world.convert(code, "fay", order="7782")

    assert answer["decision"] == "accepted"
    assert await balances(world) == (0, 50)
    assert await world.balance("bob") == 100


async def test_an_operator_reinstates_what_an_order_event_or_a_mistake_rolled_back(world: World):
    referral = await converted(world)
    await world.refund("7781")

    answer = await world.event("order_reinstated", {"order": {"id": "7781"}})
    assert answer["effects"][0]["effect"] == "reinstated"
    await world.roll_back(referral)
    assert await balances(world) == (0, 0)
    assert (await world.command("reinstate", referral))["effect"] == "reinstated"

    assert await balances(world) == (100, 50)
    assert (await world.activity(referral_id=referral)).count("referral_reinstated") == 2


@sqlite
async def test_what_is_spent_already_is_owed_unless_the_campaign_allows_less_than_nothing(
    world: World,
):
    referral = await converted(world)
    await spend(world.store, "ada", 70, world.now())

    await world.refund("7781")

    assert await world.state(referral) == "rolled_back"
    assert await world.balance("ada") == 0
    assert await world.balance("ada", kind="owed") == -70


@sqlite
async def test_where_the_campaign_allows_it_a_balance_goes_below_nothing(world: World):
    rewards = campaign()["rewards"] | {"rollback": {"allow_negative": True}}
    await world.apply(campaign(rewards=rewards))
    code = await world.publish("spring", "ada")
    await world.convert(code, "fay", order="7781")
    await spend(world.store, "ada", 70, world.now())

    await world.refund("7781")

    assert await world.balance("ada") == -70
    assert await world.balance("ada", kind="owed") == 0
