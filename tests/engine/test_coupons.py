"""Coupons: each is assigned once, an empty pool loses no reward, and redeemed coupons stay redeemed."""

import asyncio
from collections.abc import AsyncIterator, Iterable
from typing import Any

import httpx
import pytest

from entrypoints.api.main import Application
from entrypoints.api.resources import AppResources
from referrals.store import api_keys, schema
from tests.api.problems import problem
from tests.harness.campaigns import EACH, POINTS_50, campaign
from tests.harness.world import World

TWENTY = {"type": "coupon", "discount": {"percent": 20}}
POOLED = TWENTY | {"pool": "welcome"}
MADE = TWENTY | {"pattern": "THANKS-######"}
POOL = "/v1/campaigns/spring/coupons/welcome"


def giving(friend: dict[str, Any], **parts: Any) -> dict[str, Any]:
    return campaign(rewards={"friend": friend, "tiers": [EACH]}, **parts)


@pytest.fixture
async def http(world: World) -> AsyncIterator[httpx.AsyncClient]:
    """Client of the API, with a valid key."""
    resources = AppResources.of(world.resources, world.client, world.inbox)
    headers = {"authorization": f"Bearer {await api_keys.create(world.store, 'shop')}"}
    transport = httpx.ASGITransport(Application(resources), raise_app_exceptions=False)
    async with httpx.AsyncClient(
        transport=transport, base_url="http://api", headers=headers
    ) as client:
        yield client


async def fill(http: httpx.AsyncClient, codes: Iterable[str], pool: str = POOL) -> dict[str, Any]:
    text = "\n".join(["code", *codes])
    response = await http.post(pool, content=text, headers={"content-type": "text/csv"})
    assert response.status_code == 200, response.text
    return response.json()


async def wallet(http: httpx.AsyncClient, customer: str) -> dict[str, Any]:
    return (await http.get(f"/v1/customers/{customer}/wallet")).json()


async def redeem(http: httpx.AsyncClient, customer: str, coupon: str, key: str) -> httpx.Response:
    body = {"key": key, "coupon": coupon}
    return await http.post(f"/v1/customers/{customer}/wallet/redeem", json=body)


async def reward_of(world: World, customer: str) -> Any:
    (row,) = await world.all(schema.rewards, customer_id=await world.customer_id(customer))
    return row


async def test_a_small_pool_loses_no_reward_under_load(world: World, http: httpx.AsyncClient):
    await world.apply(giving(POOLED))
    await fill(http, [f"W-{n}" for n in range(20)])
    codes = [await world.publish("spring", f"ada-{n}") for n in range(5)]

    answers = await asyncio.gather(*(world.convert(codes[n % 5], f"fay-{n}") for n in range(50)))
    assert [answer["decision"] for answer in answers] == ["accepted"] * 50
    coupons = [row for row in await world.all(schema.rewards) if row.type == "coupon"]
    assert sum(row.state == "granted" for row in coupons) == 20
    assert sum(row.error_code == "pool_empty" for row in coupons) == 30
    assert (await http.get(POOL)).json() == {"available": 0, "issued": 20, "redeemed": 0, "void": 0}

    assert (await fill(http, [f"W-{n}" for n in range(20, 50)]))["imported"] == 30
    await world.inbox.drain()

    assert (await http.get(POOL)).json() == {"available": 0, "issued": 50, "redeemed": 0, "void": 0}
    given = await world.all(schema.coupons)
    assert len({row.reward_id for row in given}) == len({row.customer_id for row in given}) == 50
    for answer in answers:
        assert await world.state(answer["referral"]) == "rewarded"


async def test_rewards_of_an_empty_pool_fail_visibly_until_coupons_are_imported(
    world: World, http: httpx.AsyncClient
):
    await world.apply(giving(POOLED))
    answer = await world.convert(await world.publish("spring", "ada"), "fay")

    run = await world.referral_run("spring", "fay")
    assert await world.state(answer["referral"]) == "confirmed"
    assert "discount" not in answer
    assert await world.balance("ada") == 100
    assert "reward_failed" in await world.activity()
    shown = (await run.describe()).search_attributes
    assert shown["ReferralAttention"] == ["reward_failed"]
    failed = (await http.get("/v1/campaigns/spring/rewards?state=failed")).json()["data"]
    assert [row["error"] for row in failed] == ["pool_empty: The coupon pool welcome is empty."]
    assert [row["next_step"] for row in failed] == ["waits for coupons in the pool welcome"]

    await fill(http, ["W-1"])
    await fill(http, ["W-2"])
    await world.inbox.drain()

    await world.until_state(answer["referral"], "rewarded")
    await world.until_closed(run)
    assert [row["code"] for row in (await wallet(http, "fay"))["coupons"]] == ["W-1"]
    assert {row.state for row in await world.all(schema.inbox_events)} == {"processed"}


async def test_coupons_imported_during_conversions_leave_no_reward_waiting(
    world: World, http: httpx.AsyncClient
):
    """Import and check coupons, which locks them briefly, while conversions need them all."""
    await world.apply(giving(POOLED))
    codes = [await world.publish("spring", f"ada-{n}") for n in range(5)]
    order = {"id": "cart", "amount": "50.00", "currency": "EUR"}
    cart = {"code": codes[0], "friend": {"id": "zoe"}, "order": order}

    await asyncio.gather(
        *(world.convert(codes[n % 5], f"fay-{n}") for n in range(20)),
        *(fill(http, [f"W-{n}-{m}" for m in range(5)]) for n in range(4)),
        *(http.post("/v1/campaigns/spring/check", json=cart) for _ in range(10)),
    )
    await world.inbox.drain()

    pool = (await http.get(POOL)).json()
    assert pool == {"available": 0, "issued": 20, "redeemed": 0, "void": 0}
    assert {row.state for row in await world.all(schema.rewards)} == {"granted"}


async def test_an_import_into_another_pool_or_campaign_resumes_no_reward(
    world: World, http: httpx.AsyncClient
):
    await world.apply(giving(POOLED))
    await world.apply(giving(POOLED) | {"campaign": "autumn"})
    await world.convert(await world.publish("spring", "ada"), "fay")

    await fill(http, ["A-1"], "/v1/campaigns/spring/coupons/other")
    await fill(http, ["A-2"], "/v1/campaigns/autumn/coupons/welcome")

    assert await world.inbox.drain() == 0
    assert (await reward_of(world, "fay")).state == "failed"


async def test_a_failed_coupon_can_be_retried_and_voided(world: World, http: httpx.AsyncClient):
    await world.apply(giving(POOLED))
    answer = await world.convert(await world.publish("spring", "ada"), "fay")
    reward = (await reward_of(world, "fay")).id

    repeated = (await http.post(f"/v1/rewards/{reward}/retry")).json()
    assert repeated["error"].startswith("pool_empty")
    void = await http.post(f"/v1/rewards/{reward}/void", json={"reason": "They left"})

    assert void.json()["state"] == "voided"
    assert await world.state(answer["referral"]) == "rewarded"
    await world.until_closed(await world.referral_run("spring", "fay"))


async def test_a_roll_back_voids_a_failed_coupon(world: World, http: httpx.AsyncClient):
    await world.apply(giving(POOLED))
    answer = await world.convert(await world.publish("spring", "ada"), "fay")

    await world.roll_back(answer["referral"])
    await fill(http, ["W-1"])

    assert await world.inbox.drain() == 0
    assert (await reward_of(world, "fay")).state == "voided"
    await world.until_closed(await world.referral_run("spring", "fay"))


async def test_a_milestone_coupon_waits_for_its_pool(world: World, http: httpx.AsyncClient):
    tier = {"name": "first", "at": 1, "reward": POOLED}
    await world.apply(campaign(rewards={"friend": POINTS_50, "tiers": [tier]}))
    await world.convert(await world.publish("spring", "ada"), "fay")
    await world.until_idle()
    assert (await reward_of(world, "ada")).state == "failed"

    await fill(http, ["W-1"])
    await world.inbox.drain()

    assert (await reward_of(world, "ada")).state == "granted"


async def test_a_lost_milestone_voids_its_failed_coupon(world: World, http: httpx.AsyncClient):
    tier = {"name": "first", "at": 1, "reward": POOLED}
    await world.apply(campaign(rewards={"friend": POINTS_50, "tiers": [tier]}))
    answer = await world.convert(await world.publish("spring", "ada"), "fay")
    await world.until_idle()

    await world.roll_back(answer["referral"])

    async def voided() -> bool:
        return (await reward_of(world, "ada")).state == "voided"

    await world.until(voided)


async def test_coupons_are_generated_by_pattern(world: World, http: httpx.AsyncClient):
    await world.apply(giving(MADE | {"valid_for": "P30D"}))
    code = await world.publish("spring", "ada")

    answers = [await world.convert(code, friend) for friend in ("fay", "gus")]

    made = [answer["discount"]["code"] for answer in answers]
    assert len(set(made)) == 2
    assert all(code.startswith("THANKS-") and "#" not in code for code in made)
    (held,) = (await wallet(http, "fay"))["coupons"]
    assert (held["code"], held["discount"], held["state"]) == (made[0], {"percent": 20}, "issued")
    assert held["expires_at"] > (await reward_of(world, "fay")).granted_at.isoformat()
    assert held["reward"] == (await reward_of(world, "fay")).id
    assert (await wallet(http, "fay"))["balances"] == []


async def test_the_friends_coupon_is_in_the_response_and_in_a_check(
    world: World, http: httpx.AsyncClient
):
    await world.apply(giving(POOLED))
    await fill(http, ["W-1"])
    code = await world.publish("spring", "ada")
    order = {"id": "cart", "amount": "119.90", "currency": "EUR"}
    cart = {"code": code, "friend": {"id": "fay"}, "order": order}

    checked = (await http.post("/v1/campaigns/spring/check", json=cart)).json()
    discount = {"kind": "percent", "percent": 20, "amount": "23.98", "currency": "EUR"}
    assert checked["discount"] == discount | {"code": None}
    assert (await http.get(POOL)).json()["available"] == 1

    answer = await world.convert(code, "fay", amount="119.90", id="event-1")
    assert answer["discount"] == discount | {"code": "W-1"}
    assert await world.convert(code, "fay", amount="119.90", id="event-1") == answer


async def test_a_held_coupon_is_not_applied(world: World):
    await world.apply(giving(MADE, conversion={"hold": "P14D"}))
    answer = await world.convert(await world.publish("spring", "ada"), "fay")

    assert "discount" not in answer
    assert await world.all(schema.coupons) == []
    await world.sleep(days=15)
    await world.until_state(answer["referral"], "rewarded")
    assert len(await world.all(schema.coupons)) == 1


async def test_a_roll_back_voids_an_unredeemed_coupon(world: World, http: httpx.AsyncClient):
    await world.apply(giving(MADE))
    answer = await world.convert(await world.publish("spring", "ada"), "fay")

    await world.roll_back(answer["referral"])

    assert (await reward_of(world, "fay")).state == "rolled_back"
    (held,) = (await wallet(http, "fay"))["coupons"]
    assert held["state"] == "void"
    refused = await redeem(http, "fay", held["code"], "order-1")
    assert problem(refused, 409, "coupon-not-redeemable")["detail"] == "The coupon was withdrawn."


async def test_a_roll_back_reports_that_a_redeemed_coupon_remains(
    world: World, http: httpx.AsyncClient
):
    await world.apply(giving(MADE))
    answer = await world.convert(await world.publish("spring", "ada"), "fay")
    as_typed = answer["discount"]["code"].lower().replace("-", " ")
    assert (await redeem(http, "fay", as_typed, "order-1")).status_code == 200
    assert (await redeem(http, "fay", answer["discount"]["code"], "order-1")).status_code == 200

    await world.roll_back(answer["referral"])

    reward = await reward_of(world, "fay")
    assert reward.state == "rolled_back"
    assert reward.reason == "By hand Its coupon had been redeemed already."
    (entry,) = await world.all(schema.activity, type="reward_rolled_back", reward_id=reward.id)
    assert entry.data == {"coupon": "redeemed"}
    (held,) = (await wallet(http, "fay"))["coupons"]
    assert held["state"] == "redeemed"


async def test_a_coupon_is_redeemed_once_per_key(world: World, http: httpx.AsyncClient):
    await world.apply(giving(MADE))
    code = await world.publish("spring", "ada")
    coupon = (await world.convert(code, "fay"))["discount"]["code"]
    other = (await world.convert(code, "gus"))["discount"]["code"]

    both = await asyncio.gather(*(redeem(http, "fay", coupon, "order-1") for _ in range(2)))
    assert [response.status_code for response in both] == [200, 200]
    assert both[0].json()["coupons"][0]["state"] == "redeemed"

    message = "The coupon is already redeemed."
    refused = await redeem(http, "fay", coupon, "order-2")
    assert problem(refused, 409, "coupon-not-redeemable")["detail"] == message
    refused = await redeem(http, "fay", other, "order-2")
    message = "The coupon belongs to another customer."
    assert problem(refused, 409, "coupon-not-redeemable")["detail"] == message
    problem(await redeem(http, "fay", other, "order-1"), 409, "key-reused")
    problem(await redeem(http, "fay", "NOT-THERE", "order-3"), 404, "unknown-coupon")
    problem(await redeem(http, "nobody", coupon, "order-3"), 404, "unknown-customer")


async def test_concurrent_redemptions_of_a_coupon_have_one_winner(
    world: World, http: httpx.AsyncClient
):
    await world.apply(giving(MADE))
    answer = await world.convert(await world.publish("spring", "ada"), "fay")
    coupon = answer["discount"]["code"]

    tried = await asyncio.gather(*(redeem(http, "fay", coupon, f"order-{n}") for n in range(8)))

    assert sorted(response.status_code for response in tried) == [200] + [409] * 7


async def test_an_expired_coupon_cannot_be_redeemed(world: World, http: httpx.AsyncClient):
    await world.apply(giving(MADE | {"valid_for": "P30D"}))
    answer = await world.convert(await world.publish("spring", "ada"), "fay")

    await world.sleep(days=31)

    refused = await redeem(http, "fay", answer["discount"]["code"], "order-1")
    assert "expired" in problem(refused, 409, "coupon-not-redeemable")["detail"]


async def test_coupons_count_as_rewards_but_not_as_points_of_a_budget(world: World):
    budget = {"points": 200, "rewards": 4}
    await world.apply(giving(MADE, limits={"budget": budget}))
    code = await world.publish("spring", "ada")

    decisions = [
        (await world.convert(code, friend))["decision"] for friend in ("fay", "gus", "hal")
    ]

    assert decisions == ["accepted", "accepted", "rejected"]
    assert await world.balance("ada") == 200


async def test_the_message_about_a_coupon_contains_its_code(world: World):
    steps = [{"send": {"template": "reward_granted", "to": "friend", "channels": ["log"]}}]
    journey = {"name": "here", "on": "reward_granted", "steps": steps}
    await world.apply(giving(MADE, journeys=[journey]))
    answer = await world.convert(await world.publish("spring", "ada"), "fay")
    await world.until_idle()

    (message,) = await world.all(schema.messages)
    assert f"20% off with the coupon {answer['discount']['code']}" in message.text
