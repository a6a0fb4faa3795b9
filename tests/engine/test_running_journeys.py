"""Running journeys: pauses, archiving, crashes and long waits."""

import itertools
from datetime import timedelta
from functools import partial
from typing import Any

import pytest
from temporalio.worker import Worker
from temporalio.workflow import info as workflow_info

from referrals.store import schema
from referrals.store.journeys import runs
from tests.harness.journeys import (
    NUDGE,
    THANK,
    sent,
    start_journey,
    states,
    until_at_step,
    until_states,
    with_journey,
    workflow,
)
from tests.harness.world import World, open_world
from worker import run_workers

sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


async def test_a_paused_campaign_holds_what_wakes_and_an_activated_one_lets_it_go_on(
    world: World,
):
    await start_journey(world, {"wait": "P2D"}, NUDGE)
    await until_at_step(world, 0)

    await world.set_state("spring", "paused")
    await world.sleep(days=3)
    await until_states(world, "held")
    assert await sent(world) == []
    await world.set_state("spring", "running")
    await world.inbox.drain()
    await until_states(world, "done")

    assert await sent(world) == ["nudge_friend"]
    await world.until_closed(await workflow(world))


@sqlite
async def test_held_runs_are_woken_one_after_another(world: World):
    code = await start_journey(world, {"wait": "P1D"}, NUDGE)
    for number in range(24):
        await world.sign_up(code, f"friend-{number}")
    await until_states(world, *["running"] * 25)
    await world.set_state("spring", "paused")
    await world.sleep(days=2)
    await until_states(world, *["held"] * 25)

    await world.set_state("spring", "running")

    wakes = await world.all(schema.inbox_events, type=runs.WAKE_COMMAND)
    times = sorted(wake.retry_at for wake in wakes)
    gaps = {later - earlier for earlier, later in itertools.pairwise(times)}
    assert gaps == {timedelta(seconds=1 / runs.RESUMED_RUNS_PER_SECOND)}
    await world.sleep(seconds=10)
    assert await world.inbox.drain() == 25
    await until_states(world, *["done"] * 25)
    assert await sent(world) == ["nudge_friend"] * 25


@sqlite
async def test_a_run_that_did_not_wake_in_the_pause_goes_on_in_its_time(world: World):
    await start_journey(world, {"wait": "P5D"}, NUDGE)
    await until_at_step(world, 0)

    await world.set_state("spring", "paused")
    await world.sleep(days=1)
    await world.set_state("spring", "running")
    await world.sleep(days=3, hours=23)
    assert await states(world) == ["running"]
    await world.sleep(hours=2)

    await until_states(world, "done")


@sqlite
async def test_an_exit_during_the_pause_is_not_forgotten(world: World):
    await start_journey(world, {"wait": "P40D"}, NUDGE, exit_on=["referral_expired"])
    await until_at_step(world, 0)

    await world.set_state("spring", "paused")
    await world.sleep(days=31)
    await until_states(world, "exited")
    await world.set_state("spring", "running")
    await world.sleep(days=31)

    assert await sent(world) == []


async def test_archiving_ends_the_journeys(world: World):
    await start_journey(world, NUDGE, {"wait": "P40D"}, THANK)
    await until_at_step(world, 1)
    assert await sent(world) == ["nudge_friend"]

    await world.set_state("spring", "archived")

    assert await states(world) == ["exited"]
    await world.inbox.drain()
    await world.until_closed(await workflow(world))
    await world.apply(with_journey({"wait": "P1D"}, THANK))
    await world.sleep(days=41)
    assert await sent(world) == ["nudge_friend"]


@sqlite
async def test_a_run_survives_the_death_of_its_workers(
    database_url: str, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("worker.Worker", partial(Worker, max_cached_workflows=0))
    async with open_world(database_url, work=False) as world:
        async with run_workers(world.client):
            await start_journey(world, {"wait": "P2D"}, NUDGE, {"wait": "P2D"}, THANK)
            await until_at_step(world, 0)
        async with run_workers(world.client):
            await world.sleep(days=2, minutes=1)
            await until_at_step(world, 2)
        async with run_workers(world.client):
            await world.sleep(days=2, minutes=1)
            await until_states(world, "done")
            assert await sent(world) == ["nudge_friend", "thank_friend"]


@sqlite
async def test_a_run_without_workflow_is_restarted_at_its_position(world: World):
    code = await start_journey(
        world, NUDGE, {"wait": {"event": "referral_converted", "timeout": "P9D"}}
    )
    await until_at_step(world, 1)
    await (await workflow(world)).terminate()

    await world.convert(code, "fay")

    await until_states(world, "done")
    assert await sent(world) == ["nudge_friend"]


@sqlite
async def test_a_run_that_continues_as_new_goes_on_where_it_was(
    database_url: str, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(
        "workflows.base.BaseWorkflow._is_too_long", lambda _: not workflow_info().continued_run_id
    )
    async with open_world(database_url, sandbox=False) as world:
        await start_journey(world, NUDGE, {"wait": "P2D"}, THANK)
        await until_at_step(world, 1)
        run = await workflow(world)
        await world.sleep(days=2, minutes=1)
        await until_states(world, "done")

        assert await sent(world) == ["nudge_friend", "thank_friend"]
        started = (await run.fetch_history()).events[0].workflow_execution_started_event_attributes
        assert started.continued_execution_run_id


def year() -> list[dict[str, Any]]:
    """50 steps: messages of their own kinds, waits of every kind, branches; 365 days in all."""
    steps: list[dict[str, Any]] = []
    for _ in range(10):
        steps += [
            {"wait": "P30D"},
            NUDGE,
            {"wait": {"until": "09:00"}},
            {"wait": {"event": "referral_rolled_back", "timeout": "P6D"}},
        ]
    return [*steps, *[{"branch": {"when": "true", "then": [THANK]}}] * 5]


@sqlite
async def test_a_journey_of_50_steps_over_a_year_makes_few_events(
    database_url: str, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("worker.Worker", partial(Worker, max_cached_workflows=0))
    async with open_world(database_url) as world:
        await start_journey(world, *year())
        for month in range(12):
            await world.sleep(days=33)
            if month == 6:
                await world.apply(with_journey({"wait": "P1D"}, NUDGE))
        await until_states(world, "done")

        assert await sent(world) == ["nudge_friend"] * 10 + ["thank_friend"] * 5
        history = await (await workflow(world)).fetch_history()
        assert len(history.events) < 500  # the contract allows 2,000
