"""Runs of journeys in the database alone: what races, and what is told of older versions."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from referrals.store import campaigns, journey_runs, schema
from tests.engine.journeys import NUDGE, with_journey
from tests.store.books import Books


@pytest.fixture
async def code(books: Books) -> str:
    """Of ada's, in a campaign whose journey nudges a friend after two days, unless the friend converts."""
    definition = with_journey(
        {"wait": "P2D"}, NUDGE, {"wait": "P2D"}, exit_on=["referral_converted"]
    )
    await books.apply(definition)
    return await books.publish("spring", "ada")


async def the_run(books: Books) -> Any:
    (run,) = await all_of(books, schema.journey_runs)
    return run


async def all_of(books: Books, table: Any) -> list[Any]:
    async with books.store.read() as tx:
        return list((await tx.execute(table.select())).all())


async def go_on(books: Books) -> Any:
    run = await the_run(books)
    async with books.store.begin() as tx:
        await journey_runs.go_on(tx, run.id, books.now)
    return await the_run(books)


async def test_a_step_that_is_being_taken_as_the_friend_converts_sends_nothing(
    books: Books, code: str
):
    await books.sign_up(code, "fay")
    run = await go_on(books)
    books.now += timedelta(days=2)

    async with books.store.begin() as tx:
        await journey_runs.go_on(tx, run.id, books.now)
        converting = asyncio.create_task(books.convert(code, "fay"))
        await asyncio.wait([converting], timeout=0.2)
        assert not converting.done()
    await converting

    (message,) = await all_of(books, schema.messages)
    assert (message.state, message.reason_code) == ("failed", "journey_exited")
    assert (await the_run(books)).state == "exited"


async def test_a_run_that_is_being_held_as_its_campaign_is_activated_is_woken(
    books: Books, code: str
):
    async def change(state: str) -> None:
        async with books.store.begin() as tx:
            await campaigns.in_force(tx, "spring", lock=True)
            await campaigns.set_state(tx, "spring", state)
            await journey_runs.campaign_changed(tx, "spring", state, "operator", books.now)

    await books.sign_up(code, "fay")
    run = await go_on(books)
    await change("paused")

    async with books.store.begin() as tx:
        await journey_runs.go_on(tx, run.id, books.now)
        activating = asyncio.create_task(change("running"))
        await asyncio.wait([activating], timeout=0.2)
        assert not activating.done()
    await activating

    (wake,) = [row for row in await all_of(books, schema.events) if row.type == journey_runs.WAKE]
    assert wake.data == {"run": run.id}
    assert (await go_on(books)).state == "running"


async def test_going_on_twice_changes_nothing(books: Books, code: str):
    await books.sign_up(code, "fay")
    await go_on(books)
    books.now += timedelta(days=2)

    assert await go_on(books) == await go_on(books)

    assert len(await all_of(books, schema.messages)) == 1


async def test_runs_under_older_versions_are_counted_while_they_are_open(books: Books, code: str):
    for friend in ("fay", "gus"):
        await books.sign_up(code, friend)
    await books.apply(with_journey({"wait": "P1D"}, NUDGE))
    await books.sign_up(code, "hal")
    await books.convert(code, "gus")

    async with books.store.read() as tx:
        assert await journey_runs.under_older_versions(tx, "spring", 3) == 1
