"""Rewards granted by journeys: at most once, and rolled back with their referral or milestone."""

from datetime import timedelta
from typing import Any

import pytest

from referrals.providers import OutcomeUnknownError, PermanentError, RetryableError
from referrals.store import schema
from tests.harness.campaigns import EACH, POINTS_50, campaign, milestone
from tests.harness.fake_provider import FakeProvider
from tests.harness.journeys import (
    CONVERTED,
    begin,
    given,
    grant,
    journey,
    send,
    until_at_step,
    until_given,
    until_states,
)
from tests.harness.world import World, open_world

sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
HTTP = {"provider": "http", "target": {}}
REACHED: dict[str, Any] = {"on": "milestone_reached"}


async def test_a_grant_is_given_with_the_conversion_to_each_side(world: World):
    code = await begin(world, grant(), grant("friend", 5))
    answer = await world.convert(code, "fay")

    assert (await world.balance("ada"), await world.balance("fay")) == (120, 55)
    assert {row.referral_id for row in await given(world)} == {answer["referral"]}
    assert await world.state(answer["referral"]) == "rewarded"
    assert sorted(reward["amount"] for reward in answer["rewards"]) == ["100", "20", "5", "50"]


@sqlite
async def test_a_repeated_event_grants_nothing_more(world: World):
    code = await begin(world, grant())
    for _ in range(2):
        await world.convert(code, "fay", id="order-1")

    assert await world.balance("ada") == 120


async def test_a_grant_waits_for_the_hold_of_its_conversion(world: World):
    code = await begin(world, grant(), conversion={"hold": "P14D"})
    answer = await world.convert(code, "fay")
    (reward,) = await given(world)
    assert (reward.state, await world.balance("ada")) == ("pending", 0)
    held = [row for row in await world.all(schema.rewards) if row.due_at == reward.due_at]
    assert len(held) == 3

    await world.sleep(days=14, minutes=1)
    await world.until_state(answer["referral"], "rewarded")

    assert await world.balance("ada") == 120


@sqlite
async def test_a_grant_that_is_reached_in_the_hold_is_due_when_the_hold_is_over(world: World):
    code = await begin(world, {"wait": "P2D"}, grant(), conversion={"hold": "P14D"})
    answer = await world.convert(code, "fay")
    await world.sleep(days=2, minutes=1)
    await until_given(world, "pending")
    assert await world.inbox.drain() == 1

    await world.sleep(days=12)
    await world.until_state(answer["referral"], "rewarded")

    assert await world.balance("ada") == 120


async def test_a_grant_after_a_wait_is_given_then_and_its_news_goes_out(world: World):
    news = journey(send("reward_granted", "advocate"), on="reward_granted") | {
        "name": "news",
        "when": "reward.amount == 20.0",
    }
    waits = journey({"wait": "P30D"}, grant(), **CONVERTED)
    await world.apply(campaign(journeys=[waits, news]))
    answer = await world.convert(await world.publish("spring", "ada"), "fay")
    await until_at_step(world, 0)
    await world.until_closed(await world.referral_run("spring", "fay"))

    await world.sleep(days=30, minutes=1)
    await until_states(world, "done")

    assert await world.balance("ada") == 120
    await world.inbox.drain()
    await world.until_idle()
    assert [template for template, _, state in await world.messages() if state == "sent"] == [
        "reward_granted"
    ]
    await world.until_closed(await world.referral_run("spring", "fay"))
    assert await world.state(answer["referral"]) == "rewarded"


@pytest.fixture
async def vendor() -> FakeProvider:
    return FakeProvider()


@pytest.fixture
async def elsewhere(database_url: str, vendor: FakeProvider):
    """A world with a provider of rewards that can be made to fail."""
    async with open_world(database_url, providers={"http": vendor}) as opened:
        yield opened


@sqlite
async def test_another_provider_s_grant_after_a_wait_is_booked_once_by_the_referral_s_workflow(
    elsewhere: World, vendor: FakeProvider
):
    world = elsewhere
    code = await begin(world, {"wait": "P30D"}, grant(**HTTP))
    await world.convert(code, "fay")
    await until_at_step(world, 0)
    vendor.faults = [("after", OutcomeUnknownError("lost")), ("before", RetryableError("busy"))]
    await world.sleep(days=30, minutes=1)
    await until_given(world, "pending")

    for _ in range(2):
        await world.inbox.drain()
    await world.sleep_by_minute(10)
    await until_given(world, "granted")

    (reward,) = await given(world)
    assert vendor.bookings == {reward.key: 20}
    await world.until_closed(await world.referral_run("spring", "fay"))


@sqlite
async def test_a_journey_grant_of_another_provider_is_booked_and_reversed(
    elsewhere: World, vendor: FakeProvider
):
    world = elsewhere
    answer = await world.convert(await begin(world, grant(**HTTP)), "fay")
    await until_given(world, "granted")

    await world.roll_back(answer["referral"])
    await until_given(world, "rolled_back")

    assert sorted(vendor.bookings.values()) == [-20, 20]


@sqlite
async def test_another_provider_s_milestone_grant_after_a_wait_is_booked_by_the_advocate_s_workflow(
    elsewhere: World, vendor: FakeProvider
):
    world = elsewhere
    tiers = {"tiers": [milestone(1)]}
    code = await begin(world, {"wait": "P3D"}, grant(**HTTP), on=REACHED, rewards=tiers)
    answer = await world.convert(code, "fay")
    await until_at_step(world, 0)
    vendor.faults = [("before", PermanentError("blocked", "Blocked."))]
    await world.sleep(days=3, minutes=1)
    await until_states(world, "done")
    await world.inbox.drain()
    await until_given(world, "failed")

    (reward,) = await given(world)
    await world.inbox.command_reward("reward_retry", reward.id, "", "operator")
    await until_given(world, "granted")
    assert list(vendor.bookings.values()) == [20]

    await world.roll_back(answer["referral"])
    await until_given(world, "rolled_back")
    assert sum(vendor.bookings.values()) == 0


async def test_a_roll_back_takes_back_what_a_journey_granted(world: World):
    answer = await world.convert(await begin(world, grant(), grant("friend", 5)), "fay")

    await world.roll_back(answer["referral"])

    assert [row.state for row in await given(world)] == ["rolled_back", "rolled_back"]
    assert (await world.balance("ada"), await world.balance("fay")) == (0, 0)


async def test_the_journey_of_a_referral_that_was_rolled_back_meanwhile_grants_nothing(
    world: World,
):
    answer = await world.convert(await begin(world, {"wait": "P30D"}, grant()), "fay")
    await until_at_step(world, 0)
    await world.roll_back(answer["referral"])

    await world.sleep(days=30, minutes=1)
    await until_states(world, "done")

    assert await given(world) == []
    (refused,) = await world.all(schema.activity, type="journey_grant_refused")
    assert (refused.reason_code, refused.referral_id) == (
        "referral_rolled_back",
        answer["referral"],
    )


async def test_a_milestone_grant_comes_with_the_tier_s_own_reward_and_goes_with_it(world: World):
    tiers = {"friend": POINTS_50, "tiers": [EACH, milestone(1)]}
    answer = await world.convert(await begin(world, grant(), on=REACHED, rewards=tiers), "fay")
    await world.until_idle()
    (reward,) = await given(world)
    assert (reward.state, reward.side, reward.referral_id) == ("granted", "advocate", None)
    assert await world.balance("ada") == 1120

    await world.roll_back(answer["referral"])
    await until_given(world, "rolled_back")
    await world.until_idle()

    assert await world.balance("ada") == 0


@sqlite
async def test_a_milestone_reached_again_repeats_its_grant(world: World):
    code = await begin(world, grant(), on=REACHED, rewards={"tiers": [milestone(1)]})
    answer = await world.convert(code, "fay")
    await world.until_idle()
    await world.roll_back(answer["referral"])
    await until_given(world, "rolled_back")

    await world.convert(code, "gus")
    await world.until_idle()

    assert sorted(row.state for row in await given(world)) == ["granted", "rolled_back"]
    assert await world.balance("ada") == 1020


async def test_a_milestone_grant_after_a_wait_is_given_then(world: World):
    tiers = {"tiers": [milestone(1)]}
    await world.convert(
        await begin(world, {"wait": "P3D"}, grant(), on=REACHED, rewards=tiers), "fay"
    )
    await until_at_step(world, 0)
    await world.sleep(days=3, minutes=1)
    await until_given(world, "granted")

    assert await world.balance("ada") == 1020
    assert await world.inbox.drain() == 1


@sqlite
async def test_the_journey_of_a_milestone_that_was_lost_meanwhile_grants_nothing(world: World):
    tiers = {"tiers": [milestone(1)]}
    code = await begin(world, {"wait": "P3D"}, grant(), on=REACHED, rewards=tiers)
    answer = await world.convert(code, "fay")
    await until_at_step(world, 0)
    await world.roll_back(answer["referral"])
    await world.sleep(days=3, minutes=1)
    await until_states(world, "done")

    assert await given(world) == []
    (refused,) = await world.all(schema.activity, type="journey_grant_refused")
    assert refused.reason_code == "milestone_lost"


async def test_a_journey_grant_beyond_the_budget_is_voided(world: World):
    budget = {"budget": {"points": 170, "on_limit": "reject"}}
    answer = await world.convert(await begin(world, grant(), grant(), limits=budget), "fay")

    first, second = sorted(await given(world), key=lambda row: row.key)
    assert (first.state, second.state) == ("granted", "voided")
    assert second.reason == "The campaign's budget is spent."
    assert await world.balance("ada") == 120
    assert await world.state(answer["referral"]) == "rewarded"


@sqlite
async def test_a_grant_after_a_wait_is_void_where_the_budget_is_spent(world: World):
    budget = {"budget": {"points": 150}}
    await world.convert(await begin(world, {"wait": "P3D"}, grant(), limits=budget), "fay")
    await until_at_step(world, 0)
    await world.sleep(days=3, minutes=1)

    await until_given(world, "voided")


@sqlite
async def test_a_grant_waits_for_its_approval_as_other_rewards_do(world: World):
    rewards = campaign()["rewards"] | {"approval": "manual"}
    answer = await world.convert(
        await begin(world, {"wait": "P3D"}, grant(), rewards=rewards), "fay"
    )
    await until_at_step(world, 0)
    await world.sleep(days=3, minutes=1)
    await until_given(world, "pending")
    await world.inbox.drain()

    for reward in await world.all(schema.rewards):
        await world.inbox.command_reward("reward_approve", reward.id, "", "operator")

    assert await world.balance("ada") == 120
    await world.until_state(answer["referral"], "rewarded")


@sqlite
async def test_a_grant_is_good_for_as_long_as_it_says(world: World):
    await world.convert(await begin(world, grant(valid_for="P30D")), "fay")

    (reward,) = await given(world)
    assert reward.expires_at == reward.granted_at + timedelta(days=30)


@sqlite
async def test_a_coupon_granted_by_a_journey_is_in_the_response_to_the_conversion(world: World):
    coupon = {"type": "coupon", "pattern": "THANKS-########", "discount": {"percent": 10}}
    code = await begin(world, {"grant": {"to": "friend", "reward": coupon}})

    answer = await world.convert(code, "fay")

    assert answer["discount"]["amount"] == "10.00"


@sqlite
async def test_a_paused_campaign_grants_when_it_goes_on_and_an_archived_one_never(world: World):
    code = await begin(world, {"wait": "P3D"}, grant())
    await world.convert(code, "fay")
    await until_at_step(world, 0)
    await world.set_state("spring", "paused")
    await world.sleep(days=4)
    await until_states(world, "held")
    assert await given(world) == []
    await world.set_state("spring", "running")
    await world.inbox.drain()
    await until_given(world, "granted")

    await world.convert(code, "gus")
    await until_states(world, "done", "running")
    await world.set_state("spring", "archived")
    await world.sleep(days=4)
    await world.inbox.drain()

    await until_given(world, "granted")


@sqlite
async def test_a_journey_that_exits_by_its_own_grant_stops_at_the_next_wait(world: World):
    steps = ({"wait": "P1D"}, grant(), {"wait": "P1D"}, grant())
    exits = CONVERTED | {"exit_on": ["reward_granted"]}
    code = await begin(world, *steps, on=exits, rewards={"tiers": [milestone(9)]})
    await world.convert(code, "fay")
    await until_at_step(world, 0)

    await world.sleep(days=3)
    await until_states(world, "exited")

    assert await world.balance("ada") == 20
