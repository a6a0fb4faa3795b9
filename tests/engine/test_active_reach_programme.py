"""Shares by channel, the tenth friend, limits and the cooldown."""

from collections import Counter
from datetime import timedelta
from typing import Any

import pytest

from referrals.store import schema
from tests.harness.campaigns import EACH, POINTS_50, example, milestone
from tests.harness.world import World

REACH = "active-reach"


async def reach(world: World, **parts: Any) -> str:
    """The programme, with some of its parts changed; returns the code of ada."""
    await world.apply(example(REACH, **parts))
    return await world.publish(REACH, "ada")


async def reason(world: World, code: str, friend: str, order: str | None = None) -> str | None:
    """Why the friend's conversion is rejected; None where it is not."""
    answer = await world.convert(code, friend, order=order)
    assert (answer["decision"] == "rejected") == bool(answer["reason"])
    return answer["reason"]["code"] if answer["reason"] else None


async def test_shares_are_counted_by_channel_and_thanked_for(world: World):
    code = await reach(world)

    for channel in ("whatsapp", "email", "link", "whatsapp"):
        assert (await world.share(code, channel))["decision"] == "accepted"
    await world.until_idle()

    shares = Counter(row.channel for row in await world.all(schema.shares))
    assert shares == {"whatsapp": 2, "email": 1, "link": 1}
    assert await world.messages() == [("thank_sharing", "ada", "sent")] * 4


async def test_the_tenth_conversion_earns_the_milestone_and_its_message(world: World):
    code = await reach(world, limits={"per_advocate": {"count": 50, "period": "P30D"}})

    for number in range(9):
        await world.convert(code, f"friend-{number}")
    await world.until_idle()
    assert await world.balance("ada") == 900
    await world.convert(code, "the-tenth")
    await world.until_idle()

    assert await world.balance("ada") == 2000
    (row,) = await world.all(schema.messages, template="milestone")
    assert (row.state, row.subject) == ("sent", "You have referred 10 friends")
    assert "1,000 points" in row.text


async def test_its_three_journeys_thank_nudge_and_celebrate(world: World):
    code = await reach(world, limits={})
    await world.share(code, "whatsapp")
    await world.sign_up(code, "idle")
    for number in range(9):
        await world.convert(code, f"friend-{number}")
    await world.sign_up(code, "quick")
    await world.until(lambda: _runs(world, "running", "running"))

    await world.sleep(days=1)
    await world.convert(code, "quick")
    await world.sleep(days=2)
    await world.until(lambda: _runs(world, "done", "exited"))
    await world.until_idle()

    sent = Counter(await world.messages())
    assert sent == {
        ("thank_sharing", "ada", "sent"): 1,
        ("thank_advocate", "ada", "sent"): 10,
        ("nudge_friend", "idle", "sent"): 1,
        ("milestone", "ada", "sent"): 1,
    }
    (nudge,) = await world.all(schema.messages, template="nudge_friend")
    assert nudge.created_at.strftime("%H:%M") == "10:00"


async def _runs(world: World, *states: str) -> bool:
    return sorted(run.state for run in await world.all(schema.journey_runs)) == list(states)


async def test_the_cooldown_lets_the_second_reward_of_a_day_wait_for_the_next(world: World):
    code = await reach(world)

    first, second = await world.convert(code, "fay"), await world.convert(code, "gus")

    assert [first["decision"], second["decision"]] == ["accepted", "deferred"]
    (place,) = await world.all(schema.referrals, id=first["referral"])
    due = (place.rewardable_at + timedelta(days=1)).isoformat()
    rewards = {reward["side"]: reward for reward in second["rewards"]}
    assert rewards["friend"]["state"] == "granted"
    assert (rewards["advocate"]["state"], rewards["advocate"]["due_at"]) == ("pending", due)


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_a_cooldown_that_rejects_says_until_when(world: World):
    code = await reach(world, limits={"cooldown": {"period": "P1D", "on_hit": "reject"}})
    await world.convert(code, "fay")

    answer = await world.convert(code, "gus")

    (place,) = await world.all(schema.referrals, state="rewarded")
    until = place.rewardable_at + timedelta(days=1)
    assert answer["reason"] == {
        "code": "in_cooldown",
        "message": f"The advocate's cooldown lasts until {until:%Y-%m-%d %H:%M} UTC.",
    }
    await world.sleep(days=1)
    assert await reason(world, code, "gus", order="2") is None


async def test_an_advocate_is_rewarded_for_so_many_friends_in_a_period(world: World):
    code = await reach(world, limits={"per_advocate": {"count": 2, "period": "P30D"}})

    assert [await reason(world, code, friend) for friend in ("fay", "gus", "hal")] == [
        None,
        None,
        "advocate_limit_reached",
    ]
    await world.sleep(days=30)

    assert await reason(world, code, "hal", order="2") is None


async def test_a_limit_without_a_period_lasts_forever_and_a_roll_back_releases_it(
    world: World,
):
    code = await reach(world, limits={"per_advocate": {"count": 1}})
    first = await world.convert(code, "fay")
    await world.sleep(days=400)
    assert await reason(world, code, "gus") == "advocate_limit_reached"

    await world.roll_back(first["referral"])

    assert await reason(world, code, "gus", order="2") is None
    assert await reason(world, code, "hal") == "advocate_limit_reached"


async def test_a_campaigns_conversions_are_limited_over_all_advocates(world: World):
    code = await reach(world, limits={"conversions": 2})
    other = await world.publish(REACH, "bob")
    first = await world.convert(code, "fay")
    await world.convert(other, "gus")

    assert await reason(world, code, "hal") == "campaign_limit_reached"
    await world.roll_back(first["referral"])

    assert await reason(world, other, "hal", order="2") is None
    assert await reason(world, other, "ivy") == "campaign_limit_reached"


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_somebody_who_was_a_customer_before_is_no_friend(world: World):
    code = await reach(world)
    await world.register("old")
    await world.sign_up(code, "new")
    await world.register("new")

    assert await reason(world, code, "old") == "existing_customer"
    assert await reason(world, code, "new") is None


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_a_deferred_reward_delays_no_milestone(world: World):
    tiers = {"friend": POINTS_50, "tiers": [EACH, milestone(2)]}
    code = await reach(world, rewards=tiers)
    await world.convert(code, "fay")
    deferred = await world.convert(code, "gus")
    await world.until_idle()
    assert await world.balance("ada") == 100 + 1000

    await world.sleep(days=1, minutes=1)
    await world.until_state(deferred["referral"], "rewarded")

    assert await world.balance("ada") == 100 + 100 + 1000
