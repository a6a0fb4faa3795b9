"""A check answers a cart like a conversion, and changes nothing."""

from typing import Any, cast

import pytest

from inbox.receive import Inbox
from referrals.errors import InvalidRequestError
from referrals.settings import Settings
from referrals.store import Store, schema
from tests.harness.campaigns import EACH, POINTS_50, campaign
from tests.harness.store_harness import StoreHarness

SHOE = {
    "name": "shoe",
    "when": 'order.items.exists(item, has(item.sku) && item.sku == "shoe")',
    "message": "Buy the shoe.",
}
PERCENT = {"type": "coupon", "discount": {"percent": 10}, "pattern": "HI-########"}
CART = {"amount": "80.00", "currency": "EUR"}


async def check(harness: StoreHarness, **data: Any) -> dict[str, Any]:
    return await check_body(harness, data)


async def check_body(harness: StoreHarness, data: Any) -> dict[str, Any]:
    inbox = Inbox(harness.store, cast(Any, None), Settings(), harness.now)
    return await inbox.check_conversion("spring", data, "shop")


@pytest.fixture
async def harness(store: Store) -> StoreHarness:
    return StoreHarness(store)


@pytest.mark.parametrize("missing", [{}, {"id": None}, {"id": ""}])
async def test_a_cart_has_no_order_id(harness: StoreHarness, missing: dict[str, Any]):
    await harness.apply(campaign(rewards={"friend": POINTS_50, "tiers": [EACH]}))
    code = await harness.publish("spring", "ada")

    answer = await check(harness, friend={"id": "fay"}, code=code, order=CART | missing)

    assert (answer["decision"], answer["event"], answer["referral"]) == ("accepted", None, None)
    assert [(r["side"], r["amount"]) for r in answer["rewards"]] == [
        ("advocate", "100"),
        ("friend", "50"),
    ]
    assert not await harness.all(schema.orders)
    assert not await harness.all(schema.referrals)


async def test_two_carts_are_not_the_same_order(harness: StoreHarness):
    await harness.apply(campaign())
    code = await harness.publish("spring", "ada")
    await harness.convert(code, "fay", order="cart")

    answer = await check(harness, friend={"id": "gus"}, code=code, order=CART)

    assert answer["decision"] == "accepted"


async def test_the_lines_of_a_cart_are_read_by_rules(harness: StoreHarness):
    await harness.apply(campaign(conversion={"rules": [SHOE]}))
    code = await harness.publish("spring", "ada")
    shoe, sock = {"sku": "shoe", "amount": "80.00"}, {"sku": "sock"}

    answers = [
        await check(harness, friend={"id": "fay"}, code=code, order=CART | {"items": items})
        for items in ([shoe, sock], [sock], [])
    ]

    decisions = [answer["decision"] for answer in answers]
    assert decisions == ["accepted", "rejected", "rejected"]
    assert answers[1]["reason"]["message"] == "Buy the shoe."


async def test_a_cart_shows_the_discount_of_the_friends_coupon(harness: StoreHarness):
    await harness.apply(campaign(rewards={"friend": PERCENT}))
    code = await harness.publish("spring", "ada")

    answer = await check(harness, friend={"id": "fay"}, code=code, order=CART)

    assert (answer["discount"]["amount"], answer["discount"]["code"]) == ("8.00", None)


async def test_an_unknown_code_is_a_decision(harness: StoreHarness):
    await harness.apply(campaign())

    answer = await check(harness, friend={"id": "fay"}, code="NOBODYS", order=CART)

    assert answer["reason"]["code"] == "unknown_code"


async def test_an_archived_campaign_is_not_running(harness: StoreHarness):
    await harness.apply(campaign())
    code = await harness.publish("spring", "ada")
    await harness.set_state("spring", "archived")

    answer = await check(harness, friend={"id": "fay"}, code=code, order=CART)

    assert answer["reason"]["code"] == "campaign_not_running"


@pytest.mark.parametrize(
    ("data", "field"),
    [
        ({}, "friend"),
        ({"friend": {"id": "fay"}, "order": {"currency": "EUR"}}, "order.amount"),
        (
            {"friend": {"id": "fay"}, "order": {"amount": "1.00", "currency": "??"}},
            "order.currency",
        ),
    ],
)
async def test_a_mistake_is_named_by_its_field_in_the_body(
    harness: StoreHarness, data: dict[str, Any], field: str
):
    await harness.apply(campaign())
    with pytest.raises(InvalidRequestError) as refused:
        await check(harness, **data)

    assert [error.field for error in refused.value.errors] == [field]


async def test_the_data_of_a_check_must_be_a_mapping(harness: StoreHarness):
    await harness.apply(campaign())

    with pytest.raises(InvalidRequestError) as refused:
        await check_body(harness, "text")

    assert [error.field for error in refused.value.errors] == ["body"]
