"""Runs of journeys in the database alone: what races, and what is told of older versions."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from referrals.store import lookups, schema
from referrals.store.campaigns import versions
from referrals.store.flow.event_loop import handle_events
from referrals.store.journeys import reactions, runs
from tests.harness.journeys import NUDGE, with_journey
from tests.harness.store_harness import StoreHarness


@pytest.fixture
async def code(harness: StoreHarness) -> str:
    """Of ada's, in a campaign whose journey nudges a friend after two days, unless the friend converts."""
    definition = with_journey(
        {"wait": "P2D"}, NUDGE, {"wait": "P2D"}, exit_on=["referral_converted"]
    )
    await harness.apply(definition)
    return await harness.publish("spring", "ada")


async def the_run(harness: StoreHarness) -> Any:
    (run,) = await all_of(harness, schema.journey_runs)
    return run


async def all_of(harness: StoreHarness, table: Any) -> list[Any]:
    async with harness.store.read() as tx:
        return list((await tx.execute(table.select())).all())


async def go_on(harness: StoreHarness) -> Any:
    run = await the_run(harness)
    async with harness.store.begin() as tx:
        await runs.advance(tx, run.id, harness.time)
        await handle_events(tx)
    return await the_run(harness)


async def set_state(harness: StoreHarness, tx: Any, state: str) -> None:
    await versions.find_in_force(tx, "spring", lock=True)
    await versions.set_state(tx, "spring", state)
    await runs.apply_campaign_state(tx, "spring", state, "operator", harness.time)


async def test_a_step_that_is_being_taken_as_the_friend_converts_sends_nothing(
    harness: StoreHarness, code: str
):
    await harness.sign_up(code, "fay")
    run = await go_on(harness)
    harness.time += timedelta(days=2)

    async with harness.store.begin() as tx:
        await runs.advance(tx, run.id, harness.time)
        await handle_events(tx)
        converting = asyncio.create_task(harness.convert(code, "fay"))
        await asyncio.wait([converting], timeout=0.2)
        assert not converting.done()
    await converting

    (message,) = await all_of(harness, schema.messages)
    assert (message.state, message.reason_code) == ("failed", "journey_exited")
    assert (await the_run(harness)).state == "exited"


async def test_a_run_that_is_being_held_as_its_campaign_is_activated_is_woken(
    harness: StoreHarness, code: str
):
    async def change(state: str) -> None:
        async with harness.store.begin() as tx:
            await set_state(harness, tx, state)

    await harness.sign_up(code, "fay")
    run = await go_on(harness)
    await change("paused")

    async with harness.store.begin() as tx:
        await runs.advance(tx, run.id, harness.time)
        await handle_events(tx)
        activating = asyncio.create_task(change("running"))
        await asyncio.wait([activating], timeout=0.2)
        assert not activating.done()
    await activating

    (wake,) = [
        row for row in await all_of(harness, schema.inbox_events) if row.type == runs.WAKE_COMMAND
    ]
    assert wake.data == {"run": run.id}
    assert (await go_on(harness)).state == "running"


async def test_going_on_twice_changes_nothing(harness: StoreHarness, code: str):
    await harness.sign_up(code, "fay")
    await go_on(harness)
    harness.time += timedelta(days=2)

    assert await go_on(harness) == await go_on(harness)

    assert len(await all_of(harness, schema.messages)) == 1


async def test_runs_under_older_versions_are_counted_while_they_are_open(
    harness: StoreHarness, code: str
):
    for friend in ("fay", "gus"):
        await harness.sign_up(code, friend)
    await harness.apply(with_journey({"wait": "P1D"}, NUDGE))
    await harness.sign_up(code, "hal")
    await harness.convert(code, "gus")

    async with harness.store.read() as tx:
        assert await runs.count_under_older_versions(tx, "spring", 3) == 1


async def about_to_grant(harness: StoreHarness) -> Any:
    """A run that is to grant 20 points, out of a budget of as many as there are; its wait is over."""
    reward = {"grant": {"to": "advocate", "reward": {"type": "points", "amount": 20}}}
    budget = {"limits": {"budget": {"points": 170}}}
    await harness.apply(with_journey({"wait": "P2D"}, reward, on="referral_converted") | budget)
    await harness.convert(await harness.publish("spring", "ada"), "fay")
    run = await go_on(harness)
    harness.time += timedelta(days=2)
    return run


async def granted(harness: StoreHarness) -> list[Any]:
    return [row for row in await all_of(harness, schema.rewards) if row.key.startswith("spring/")]


async def test_a_grant_that_is_made_twice_is_made_once(harness: StoreHarness):
    run = await about_to_grant(harness)
    done = await go_on(harness)
    async with harness.store.begin() as tx:  # as if the run stood where it did
        await tx.execute(
            schema.journey_runs.update().values(
                state="running", step_index=run.step_index, wake_at=run.wake_at
            )
        )

    assert (await go_on(harness)).state == done.state == "done"

    (reward,) = await granted(harness)
    assert (reward.state, reward.amount) == ("granted", 20)


async def test_a_grant_waits_for_a_decision_about_its_advocate_which_may_end_it(
    harness: StoreHarness,
):
    run = await about_to_grant(harness)
    async with harness.store.begin() as tx:
        context, _ = await lookups.lock_context(tx, run.referral_id, "operator", harness.time)
        granting = asyncio.create_task(go_on(harness))
        await asyncio.wait([granting], timeout=0.2)
        assert not granting.done()
        await reactions.end(tx, schema.journey_runs.c.id == run.id, runs.ARCHIVED, context.now)
    await granting

    assert await granted(harness) == []


async def test_a_grant_waits_for_the_archiving_of_its_campaign_which_ends_it(harness: StoreHarness):
    await about_to_grant(harness)
    async with harness.store.begin() as tx:
        await versions.find_in_force(tx, "spring", lock=True)
        granting = asyncio.create_task(go_on(harness))
        await asyncio.wait([granting], timeout=0.2)
        assert not granting.done()
        await set_state(harness, tx, "archived")
    await granting

    assert await granted(harness) == []


async def test_a_grant_and_the_roll_back_of_its_referral_leave_nothing_whichever_comes_first(
    harness: StoreHarness,
):
    run = await about_to_grant(harness)

    await asyncio.gather(go_on(harness), harness.roll_back(run.referral_id))

    assert [row.state for row in await granted(harness)] in ([], ["rolled_back"])
