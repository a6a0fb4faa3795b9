"""Journeys that wait: for a duration, a time of day, an event; and how they end."""

import asyncio
from datetime import time, timedelta
from zoneinfo import ZoneInfo

import pytest

from referrals.store import schema
from tests.harness.campaigns import POINTS_50, THANKS, campaign, milestone
from tests.harness.journeys import (
    NUDGE,
    SHARED,
    THANK,
    journey,
    sent,
    start_journey,
    states,
    until_at_step,
    until_states,
    with_journey,
    workflow,
)
from tests.harness.world import World

sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


async def test_a_message_is_sent_when_its_wait_is_over_and_the_run_is_done(world: World):
    await start_journey(world, {"wait": "P2D"}, NUDGE, {"wait": "P5D"}, THANK)
    await until_at_step(world, 0)

    await world.sleep(days=1, hours=23)
    assert await sent(world) == []
    await world.sleep(hours=2)
    await until_at_step(world, 2)
    assert await sent(world) == ["nudge_friend"]
    await world.sleep(days=5)
    await until_states(world, "done")

    assert await sent(world) == ["nudge_friend", "thank_friend"]
    await world.until_closed(await workflow(world))


@sqlite
async def test_steps_before_the_first_wait_run_at_once(world: World):
    await start_journey(world, NUDGE, {"wait": "P1D"}, THANK)
    await until_at_step(world, 1)

    assert await sent(world) == ["nudge_friend"]


@sqlite
async def test_a_journey_in_which_nothing_waits_has_no_run(world: World):
    await start_journey(world, NUDGE, {"branch": {"when": "true", "then": [THANK]}})

    assert await sent(world) == ["nudge_friend", "thank_friend"]
    assert await states(world) == []


@sqlite
@pytest.mark.parametrize("zone", ["Asia/Tokyo", None])
async def test_a_time_of_day_is_that_of_the_customer_or_else_of_the_campaign(
    world: World, zone: str | None
):
    definition = with_journey({"wait": {"until": "09:00"}}, NUDGE)
    await world.apply(definition | {"timezone": "America/New_York"})
    code = await world.publish("spring", "ada")
    friend = {"id": "fay"} | ({"timezone": zone} if zone else {})
    await world.event("referral_signed_up", {"code": code, "friend": friend})
    await until_at_step(world, 0)

    (run,) = await world.all(schema.journey_runs)

    local = run.wake_at.astimezone(ZoneInfo(zone or "America/New_York"))
    assert local.time() == time(9)
    assert timedelta(0) < run.wake_at - run.started_at <= timedelta(hours=25)


AWAIT = {"wait": {"event": "referral_converted", "timeout": "P3D"}}
FORK = {"branch": {"when": "awaited.happened", "then": [THANK], "else": [NUDGE]}}


async def test_an_awaited_event_lets_the_run_go_on_at_once(world: World):
    code = await start_journey(world, AWAIT, FORK)
    await until_at_step(world, 0)

    await world.convert(code, "fay")
    await until_states(world, "done")

    assert await sent(world) == ["thank_friend"]


async def test_an_awaited_event_that_does_not_come_lets_the_run_go_on_by_its_time_out(
    world: World,
):
    code = await start_journey(world, AWAIT, FORK)
    await until_at_step(world, 0)
    await world.sign_up(code, "gus")
    await world.convert(code, "hal")  # another friend's

    await world.sleep(days=3, minutes=1)
    await until_states(world, "done", "done")

    assert await sent(world) == ["nudge_friend", "nudge_friend"]


async def test_an_exit_event_ends_a_run_that_waits(world: World):
    code = await start_journey(world, {"wait": "P2D"}, NUDGE, exit_on=["referral_converted"])
    await until_at_step(world, 0)

    await world.convert(code, "fay")

    assert await states(world) == ["exited"]
    await world.until_closed(await workflow(world))
    await world.sleep(days=3)
    assert await sent(world) == []
    (run,) = await world.all(schema.journey_runs)
    assert (run.reason_code, run.reason) == (
        "referral_converted",
        "The journey ends with referral_converted.",
    )


async def test_an_exit_that_races_with_the_wake_up_is_never_followed_by_a_message(world: World):
    code = await start_journey(world, {"wait": "PT1H"}, NUDGE, exit_on=["referral_converted"])
    await until_at_step(world, 0)

    await asyncio.gather(world.sleep(hours=1), world.convert(code, "fay"))
    await world.until_closed(await workflow(world))
    await world.until_idle()

    (run,) = await world.all(schema.journey_runs)
    written = await world.all(schema.messages)
    assert run.state in ("exited", "done")
    assert all(message.created_at <= run.ended_at for message in written)
    assert len(written) == (run.state == "done")


@sqlite
async def test_what_an_exited_run_has_not_sent_yet_is_not_sent_any_more(world: World):
    code = await start_journey(world, NUDGE, {"wait": "P2D"}, exit_on=["referral_converted"])
    await until_at_step(world, 1)
    await world.until_idle()
    async with world.store.begin() as tx:  # as if its channel did not answer
        await tx.execute(schema.messages.update().values(state="pending", completed_at=None))

    await world.convert(code, "fay")

    (message,) = await world.all(schema.messages)
    assert (message.state, message.reason_code) == ("failed", "journey_exited")


@sqlite
async def test_a_rejection_ends_the_run_that_exits_by_it_at_once(world: World):
    on = "referral_converted"
    code = await start_journey(world, {"wait": "P2D"}, NUDGE, on=on, exit_on=["referral_rejected"])
    await world.convert(code, "fay")
    await until_at_step(world, 0)

    assert (await world.convert(code, "fay", order="another"))["decision"] == "rejected"

    await world.until_closed(await workflow(world))
    assert await states(world) == ["exited"]


@sqlite
async def test_a_milestone_is_news_to_the_advocates_own_journeys_and_to_all_friends(world: World):
    rewards = {"friend": POINTS_50, "tiers": [milestone(1)]}
    ends = journey({"wait": "P2D"}, NUDGE, exit_on=["milestone_reached"])
    shares = ends | {"name": "shares", "on": "referral_link_shared", "steps": [{"wait": "P2D"}]}
    await world.apply(campaign(rewards=rewards, journeys=[ends, shares]))
    code = await world.publish("spring", "ada")
    await world.share(code)
    await world.sign_up(code, "fay")
    await until_states(world, "running", "running")

    await world.convert(code, "gus")

    assert await states(world) == ["exited", "exited"]


@sqlite
async def test_another_friends_conversion_ends_no_run(world: World):
    code = await start_journey(world, {"wait": "P2D"}, NUDGE, exit_on=["referral_converted"])
    await until_at_step(world, 0)

    await world.convert(code, "gus")

    assert await states(world) == ["running"]


@sqlite
async def test_a_branch_is_decided_by_the_facts_of_the_moment_it_is_reached(world: World):
    fork = {"branch": {"when": "counts.confirmed > 0", "then": [SHARED], "else": [NUDGE]}}
    code = await start_journey(
        world, {"wait": "P1D"}, fork, {"branch": {"when": "event.x == 1", "then": [NUDGE]}}
    )
    await until_at_step(world, 0)
    await world.convert(code, "gus")

    await world.sleep(days=1, minutes=1)
    await until_states(
        world,
        "done",
    )

    assert await sent(world) == ["thank_sharing"]
    (failed,) = await world.all(schema.activity, type="journey_condition_failed")
    assert failed.reason.startswith("condition: ")


@sqlite
async def test_an_exit_step_ends_the_run_wherever_it_stands(world: World):
    way = {"branch": {"when": "true", "then": [NUDGE, "exit"]}}
    await start_journey(world, {"wait": "P1D"}, way, THANK)
    await until_at_step(world, 0)

    await world.sleep(days=1, minutes=1)
    await until_states(world, "done")

    assert await sent(world) == ["nudge_friend"]


@pytest.mark.parametrize(
    ("reentry", "runs"), [(None, 4), ("always", 4), ("never", 1), ({"after": "P7D"}, 2)]
)
async def test_of_shares_at_once_as_many_enter_as_the_reentry_policy_lets(
    world: World, reentry: object, runs: int
):
    await world.apply(
        with_journey({"wait": "P1D"}, SHARED, on="referral_link_shared", reentry=reentry)
    )
    code = await world.publish("spring", "ada")

    await asyncio.gather(*(world.share(code) for _ in range(3)))
    await world.sleep(days=8)
    await world.share(code)
    await world.sleep(days=2)

    await until_states(world, *["done"] * runs)
    assert await sent(world) == ["thank_sharing"] * runs


@sqlite
async def test_the_reentry_policy_holds_for_journeys_that_do_not_wait_too(world: World):
    await world.apply(with_journey(SHARED, on="referral_link_shared", reentry="never"))
    code = await world.publish("spring", "ada")

    for _ in range(3):
        await world.share(code)

    assert await sent(world) == ["thank_sharing"]


@sqlite
async def test_a_run_keeps_the_definition_that_it_began_under(world: World):
    code = await start_journey(world, {"wait": "P2D"}, NUDGE)
    await until_at_step(world, 0)
    await world.apply(with_journey({"wait": "P1D"}, THANK))
    await world.sign_up(code, "gus")

    await world.sleep(days=1, hours=1)
    assert await sent(world) == ["thank_friend"]
    await world.sleep(days=1)
    await until_states(world, "done", "done")

    assert await sent(world) == ["thank_friend", "nudge_friend"]


@sqlite
async def test_a_conversion_rolled_back_at_once_starts_no_run(world: World):
    await world.apply(campaign(journeys=[journey({"wait": "P1D"}, NUDGE, on="referral_converted")]))
    code = await world.publish("spring", "ada")
    await world.refund("order-of-fay")

    await world.convert(code, "fay")

    assert await states(world) == []


@sqlite
async def test_a_lifecycle_beside_journeys_that_wait_starts_no_workflow_more(world: World):
    waits = journey({"wait": "P1D"}, NUDGE, on="referral_expired")
    await world.apply(campaign(journeys=[*THANKS, waits]))
    code = await world.publish("spring", "ada")
    await world.convert(code, "fay")
    await world.until_idle()
    run = await world.referral_run("spring", "fay")
    await world.until_closed(run)

    assert len((await run.fetch_history()).events) <= 21
