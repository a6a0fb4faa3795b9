"""Budgets: a campaign grants no more than its budget, even concurrently; roll-backs return the amount."""

import asyncio

import pytest

from referrals.store import schema
from tests.harness.campaigns import EACH, POINTS_50, campaign, milestone
from tests.harness.world import World


async def test_a_conversion_beyond_the_budget_is_rejected(world: World):
    await world.apply(campaign(limits={"budget": {"points": 200}}))
    code = await world.publish("spring", "ada")

    first = await world.convert(code, "fay")
    second = await world.convert(code, "gus")

    assert first["decision"] == "accepted"
    assert second["reason"]["code"] == "budget_exhausted"
    assert second["reason"]["message"] == "The campaign's budget is spent."


async def test_a_roll_back_returns_the_amount_to_the_budget(world: World):
    await world.apply(campaign(limits={"budget": {"points": 200}}))
    code = await world.publish("spring", "ada")
    first = await world.convert(code, "fay")

    await world.roll_back(first["referral"])

    assert (await world.convert(code, "gus"))["decision"] == "accepted"


async def test_a_conversion_beyond_the_budget_may_be_accepted_without_reward(world: World):
    budget = {"points": 200, "on_limit": "no_reward"}
    await world.apply(campaign(limits={"budget": budget}))
    code = await world.publish("spring", "ada")
    await world.convert(code, "fay")

    answer = await world.convert(code, "gus")

    assert answer["decision"] == "accepted"
    assert sorted(reward["state"] for reward in answer["rewards"]) == ["granted", "voided"]
    assert await world.state(answer["referral"]) == "rewarded"
    assert (
        await world.balance("ada") + await world.balance("gus") + await world.balance("fay") <= 200
    )


async def test_a_milestone_beyond_the_budget_is_reached_without_reward(world: World):
    rewards = {"friend": POINTS_50, "tiers": [EACH, milestone(1, amount=1000)]}
    await world.apply(campaign(rewards=rewards, limits={"budget": {"points": 500}}))

    await world.convert(await world.publish("spring", "ada"), "fay")
    await world.until_idle()

    assert await world.balance("ada") == 100
    (voided,) = await world.all(schema.rewards, state="voided")
    assert voided.milestone_id is not None


async def test_a_milestone_beyond_the_budget_is_still_announced(world: World):
    news = {"template": "milestone", "to": "advocate", "channels": ["log"]}
    journeys = [{"name": "news", "on": "milestone_reached", "steps": [{"send": news}]}]
    rewards = {"friend": POINTS_50, "tiers": [milestone(1)]}
    await world.apply(
        campaign(rewards=rewards, limits={"budget": {"points": 500}}, journeys=journeys)
    )

    await world.convert(await world.publish("spring", "ada"), "fay")

    await world.until_idle()
    assert ("milestone", "ada", "sent") in await world.messages()


async def test_a_budget_may_count_rewards_and_restart_each_period(world: World):
    await world.apply(campaign(limits={"budget": {"rewards": 2, "period": "P30D"}}))
    code = await world.publish("spring", "ada")
    await world.convert(code, "fay")
    assert (await world.convert(code, "gus"))["decision"] == "rejected"

    await world.sleep(days=31)

    assert (await world.convert(code, "gus", order="2"))["decision"] == "accepted"


@pytest.mark.parametrize("friends", [30])
async def test_concurrent_conversions_do_not_overspend_the_budget(world: World, friends: int):
    await world.apply(campaign(limits={"budget": {"points": 1500}}))
    codes = [await world.publish("spring", f"ada-{n}") for n in range(5)]

    answers = await asyncio.gather(
        *(world.convert(codes[n % 5], f"fay-{n}") for n in range(friends))
    )

    accepted = [answer for answer in answers if answer["decision"] == "accepted"]
    assert len(accepted) == 10
    assert sum(row.amount for row in await world.all(schema.rewards)) == 1500
