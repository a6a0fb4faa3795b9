"""Journey runs without Temporal: concurrent changes, and runs of older versions."""

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
    """Code of ada, in a campaign whose journey sends to a friend after two days unless the friend converts."""
    definition = with_journey(
        {"wait": "P2D"}, NUDGE, {"wait": "P2D"}, exit_on=["referral_converted"]
    )
    await harness.apply(definition)
    return await harness.publish("spring", "ada")


async def only_run(harness: StoreHarness) -> Any:
    (run,) = await all_rows(harness, schema.journey_runs)
    return run


async def all_rows(harness: StoreHarness, table: Any) -> list[Any]:
    async with harness.store.read() as tx:
        return list((await tx.execute(table.select())).all())


async def advance(harness: StoreHarness) -> Any:
    run = await only_run(harness)
    async with harness.store.begin() as tx:
        await runs.advance(tx, run.id, harness.time)
        await handle_events(tx)
    return await only_run(harness)


async def set_state(harness: StoreHarness, tx: Any, state: str) -> None:
    await versions.find_in_force(tx, "spring", lock=True)
    await versions.set_state(tx, "spring", state)
    await runs.apply_campaign_state(tx, "spring", state, "operator", harness.time)


async def test_a_step_that_runs_while_the_friend_converts_sends_nothing(
    harness: StoreHarness, code: str
):
    await harness.sign_up(code, "fay")
    run = await advance(harness)
    harness.time += timedelta(days=2)

    async with harness.store.begin() as tx:
        await runs.advance(tx, run.id, harness.time)
        await handle_events(tx)
        converting = asyncio.create_task(harness.convert(code, "fay"))
        await asyncio.wait([converting], timeout=0.2)
        assert not converting.done()
    await converting

    (message,) = await all_rows(harness, schema.messages)
    assert (message.state, message.reason_code) == ("failed", "journey_exited")
    assert (await only_run(harness)).state == "exited"


async def test_a_run_held_while_its_campaign_is_activated_is_resumed(
    harness: StoreHarness, code: str
):
    async def change(state: str) -> None:
        async with harness.store.begin() as tx:
            await set_state(harness, tx, state)

    await harness.sign_up(code, "fay")
    run = await advance(harness)
    await change("paused")

    async with harness.store.begin() as tx:
        await runs.advance(tx, run.id, harness.time)
        await handle_events(tx)
        activating = asyncio.create_task(change("running"))
        await asyncio.wait([activating], timeout=0.2)
        assert not activating.done()
    await activating

    (wake,) = [
        row for row in await all_rows(harness, schema.inbox_events) if row.type == runs.WAKE_COMMAND
    ]
    assert wake.data == {"run": run.id}
    assert (await advance(harness)).state == "running"


async def test_advancing_twice_changes_nothing(harness: StoreHarness, code: str):
    await harness.sign_up(code, "fay")
    await advance(harness)
    harness.time += timedelta(days=2)

    assert await advance(harness) == await advance(harness)

    assert len(await all_rows(harness, schema.messages)) == 1


async def test_open_runs_of_older_versions_are_counted(harness: StoreHarness, code: str):
    for friend in ("fay", "gus"):
        await harness.sign_up(code, friend)
    await harness.apply(with_journey({"wait": "P1D"}, NUDGE))
    await harness.sign_up(code, "hal")
    await harness.convert(code, "gus")

    async with harness.store.read() as tx:
        assert await runs.count_under_older_versions(tx, "spring", 3) == 1


async def run_before_grant(harness: StoreHarness) -> Any:
    """Return a run whose next step grants the last 20 points of the budget."""
    reward = {"grant": {"to": "advocate", "reward": {"type": "points", "amount": 20}}}
    budget = {"limits": {"budget": {"points": 170}}}
    await harness.apply(with_journey({"wait": "P2D"}, reward, on="referral_converted") | budget)
    await harness.convert(await harness.publish("spring", "ada"), "fay")
    run = await advance(harness)
    harness.time += timedelta(days=2)
    return run


async def journey_rewards(harness: StoreHarness) -> list[Any]:
    return [
        row for row in await all_rows(harness, schema.rewards) if row.origin.startswith("spring/")
    ]


async def test_a_repeated_grant_step_grants_once(harness: StoreHarness):
    run = await run_before_grant(harness)
    done = await advance(harness)
    async with harness.store.begin() as tx:  # repeat the step
        await tx.execute(
            schema.journey_runs.update().values(
                state="running", step_index=run.step_index, wake_at=run.wake_at
            )
        )

    assert (await advance(harness)).state == done.state == "done"

    (reward,) = await journey_rewards(harness)
    assert (reward.state, reward.amount) == ("granted", 20)


async def test_a_grant_waits_for_a_concurrent_decision_about_its_advocate(
    harness: StoreHarness,
):
    run = await run_before_grant(harness)
    async with harness.store.begin() as tx:
        context, _ = await lookups.lock_context(tx, run.referral_id, "operator", harness.time)
        granting = asyncio.create_task(advance(harness))
        await asyncio.wait([granting], timeout=0.2)
        assert not granting.done()
        await reactions.end(tx, schema.journey_runs.c.id == run.id, runs.ARCHIVED, context.now)
    await granting

    assert await journey_rewards(harness) == []


async def test_a_grant_waits_for_the_archiving_of_its_campaign(harness: StoreHarness):
    await run_before_grant(harness)
    async with harness.store.begin() as tx:
        await versions.find_in_force(tx, "spring", lock=True)
        granting = asyncio.create_task(advance(harness))
        await asyncio.wait([granting], timeout=0.2)
        assert not granting.done()
        await set_state(harness, tx, "archived")
    await granting

    assert await journey_rewards(harness) == []


async def test_a_grant_and_a_concurrent_roll_back_leave_no_reward(
    harness: StoreHarness,
):
    run = await run_before_grant(harness)

    await asyncio.gather(advance(harness), harness.roll_back(run.referral_id))

    assert [row.state for row in await journey_rewards(harness)] in ([], ["rolled_back"])
