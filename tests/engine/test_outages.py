"""Outages of Temporal, workers or the database lose nothing, repeat nothing and block nothing else."""

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from temporalio.client import Client
from temporalio.exceptions import ApplicationError

from inbox.receive import Inbox
from referrals.errors import NotPossibleError
from referrals.settings import Settings
from referrals.store import schema
from referrals.store.flow import responses
from referrals.store.inbox import inbox_events
from referrals.store.referrals import milestones, order_changes
from tests.harness.campaigns import EACH, POINTS_50, campaign, milestone
from tests.harness.world import World, open_world
from worker import run_workers

sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)

RETRY = timedelta(seconds=6)
"""Delay after which a queued event is due again."""


@asynccontextmanager
async def temporal_unreachable(world: World) -> AsyncIterator[None]:
    """Receive events while Temporal is unreachable."""
    client = await Client.connect("127.0.0.1:1", lazy=True)
    with inbox(world, client, world.resources.settings):
        yield


@contextmanager
def impatient(world: World) -> Iterator[None]:
    """Receive events without waiting longer than a second for their responses."""
    second = {"event_response_timeout": timedelta(seconds=1)}
    with inbox(world, world.client, world.resources.settings.model_copy(update=second)):
        yield


@contextmanager
def inbox(world: World, client: Client, settings: Settings) -> Iterator[None]:
    """Receive events by another inbox."""
    usual = world.inbox
    world.inbox = Inbox(world.store, client, settings, world.now)
    yield
    world.inbox = usual


def conversion(code: str, friend: str = "fay") -> dict[str, Any]:
    order = {"id": f"order-of-{friend}", "amount": "100.00", "currency": "EUR"}
    return {"code": code, "friend": {"id": friend}, "order": order}


def failing(
    function: Callable[..., Any], error: Exception, *, times: int = 1
) -> Callable[..., Any]:
    """Wrap a function so that its first calls do their work and then raise an error."""
    left = iter(range(times))

    async def wrapped(*args: Any, **kwargs: Any) -> Any:
        result = await function(*args, **kwargs)
        if next(left, None) is not None:
            raise error
        return result

    return wrapped


def permanent_error() -> ApplicationError:
    """Return an error that Temporal does not retry."""
    return ApplicationError("broken", non_retryable=True)


async def states(world: World) -> list[str]:
    """Return the states of the received events, in order."""
    return [row.state for row in await world.all(schema.inbox_events) if row.type != "publish"]


async def test_an_event_queued_without_workers_is_processed_once_when_they_return(
    database_url: str,
):
    async with open_world(database_url, work=False) as world:
        async with run_workers(world.client):
            await world.apply(campaign())
            code = await world.publish("spring", "ada")

        with impatient(world):
            queued = await world.send("referral_converted", conversion(code), id="e-1")

        assert (queued.status, queued.body) == (
            202,
            {"event": "e-1", "state": "queued", "warnings": []},
        )
        assert not await world.all(schema.referrals)
        async with run_workers(world.client):
            world.skipped += RETRY
            assert [await world.inbox.drain(), await world.inbox.drain()] == [1, 0]
            repeat = await world.send("referral_converted", conversion(code), id="e-1")
        assert (repeat.status, repeat.body["decision"]) == (200, "accepted")
        assert (await world.balance("ada"), await world.balance("fay")) == (100, 50)


async def test_the_events_of_a_friend_are_processed_in_order_after_an_outage(
    world: World,
):
    await world.apply(campaign())
    code = await world.publish("spring", "ada")
    async with temporal_unreachable(world):
        await world.send("referral_signed_up", {"code": code, "friend": {"id": "fay"}})
        await world.send("referral_converted", conversion(code))
        await world.send("referral_link_shared", {"code": code, "channel": "link"})
    assert await states(world) == ["queued"] * 3

    world.skipped += RETRY
    assert await world.inbox.drain() == 3

    happened = [kind for kind in await world.activity() if kind.startswith("referral_")]
    assert happened.index("referral_signed_up") < happened.index("referral_converted")
    assert len(happened) == 3
    assert await states(world) == ["processed"] * 3


@sqlite
async def test_an_event_processes_earlier_queued_events_first(world: World):
    await world.apply(campaign())
    code = await world.publish("spring", "ada")
    async with temporal_unreachable(world):
        await world.send("referral_signed_up", {"code": code, "friend": {"id": "fay"}})

    answer = await world.convert(code, "fay")

    assert answer["decision"] == "accepted"
    assert await states(world) == ["processed"] * 2
    (referral,) = await world.all(schema.referrals)
    assert referral.signed_up_at is not None


@sqlite
async def test_a_queued_event_is_decided_by_the_time_it_was_received(world: World):
    await world.apply(campaign(ends_at=(datetime.now(UTC) + timedelta(hours=1)).isoformat()))
    code = await world.publish("spring", "ada")
    async with temporal_unreachable(world):
        await world.send("referral_converted", conversion(code), id="e-1")

    await world.sleep(hours=2)
    assert await world.inbox.drain() == 1

    answer = await world.send("referral_converted", conversion(code), id="e-1")
    assert answer.body["decision"] == "accepted"


@sqlite
async def test_an_impossible_command_does_not_block_later_events(world: World):
    await world.apply(campaign())
    code = await world.publish("spring", "ada")
    referral = (await world.sign_up(code, "fay"))["referral"]
    async with temporal_unreachable(world):
        queued = await world.inbox.command_referral("roll_back", referral, "Too early", "operator")
    assert queued.status == 202

    answer = await world.convert(code, "fay")

    assert answer["decision"] == "accepted"
    (command,) = await world.all(schema.inbox_events, source="api", actor="operator")
    assert command.state == "failed"
    assert "signed_up has nothing to roll back" in command.error


@sqlite
async def test_the_drain_continues_after_an_impossible_command(world: World):
    await world.apply(campaign())
    code = await world.publish("spring", "ada")
    referral = (await world.sign_up(code, "fay"))["referral"]
    async with temporal_unreachable(world):
        await world.inbox.command_referral("roll_back", referral, "Too early", "operator")
        await world.send("referral_converted", conversion(code))
        await world.send("referral_converted", conversion(code, "gus"))

    world.skipped += RETRY
    assert await world.inbox.drain() == 2

    assert await world.balance("ada") == 200


@sqlite
async def test_an_impossible_command_is_rejected_at_once(world: World):
    await world.apply(campaign())
    referral = (await world.sign_up(await world.publish("spring", "ada"), "fay"))["referral"]

    with pytest.raises(NotPossibleError):
        await world.roll_back(referral)


@sqlite
async def test_a_failing_event_is_retried_and_blocks_no_other_order(
    world: World, monkeypatch: pytest.MonkeyPatch
):
    await world.apply(campaign())
    code = await world.publish("spring", "ada")
    for friend in ("fay", "gus"):
        await world.convert(code, friend)
    with monkeypatch.context() as patch:
        patch.setattr(
            order_changes,
            "apply_to_referral",
            failing(order_changes.apply_to_referral, permanent_error()),
        )
        first = await world.send("order_refunded", {"order": {"id": "order-of-fay"}})
        second = await world.send("order_refunded", {"order": {"id": "order-of-gus"}})

    assert [first.status, second.status] == [202, 200]
    assert (await world.balance("fay"), await world.balance("gus")) == (50, 0)
    failed, _ = await world.all(schema.inbox_events, type="order_refunded")
    assert (failed.state, failed.attempts) == ("queued", 1)
    assert "broken" in failed.error
    world.skipped += RETRY
    assert await world.inbox.drain() == 1
    assert (await world.balance("fay"), await world.balance("ada")) == (0, 0)


@sqlite
async def test_an_event_that_always_fails_is_marked_failed_with_its_error(
    world: World, monkeypatch: pytest.MonkeyPatch
):
    await world.apply(campaign())
    code = await world.publish("spring", "ada")
    monkeypatch.setattr(inbox_events, "MAX_ATTEMPTS", 3)
    monkeypatch.setattr(responses, "save", failing(responses.save, permanent_error(), times=99))

    await world.send("referral_signed_up", {"code": code, "friend": {"id": "fay"}})
    await world.send("referral_converted", conversion(code))
    for _ in range(3):
        world.skipped += timedelta(minutes=1)
        await world.inbox.drain()

    sign_up, converting = (
        row for row in await world.all(schema.inbox_events) if row.type != "publish"
    )
    assert (sign_up.state, sign_up.attempts) == ("failed", 3)
    assert "broken" in sign_up.error
    assert converting.state == "queued"
    assert not await world.all(schema.referrals)


@sqlite
async def test_an_event_that_raises_a_bug_stays_queued_and_the_drain_continues(
    world: World, monkeypatch: pytest.MonkeyPatch
):
    await world.apply(campaign())
    code = await world.publish("spring", "ada")
    await world.convert(code, "gus")
    monkeypatch.setattr(
        order_changes, "record", failing(order_changes.record, KeyError("bug"), times=3)
    )
    for friend in ("fay", "gus"):
        queued = await world.send("order_refunded", {"order": {"id": f"order-of-{friend}"}})
        assert queued.status == 202

    world.skipped += RETRY
    await world.inbox.drain()

    assert await world.balance("gus") == 0
    first, second = await world.all(schema.inbox_events, type="order_refunded")
    assert (first.state, first.attempts, first.error) == ("queued", 2, "KeyError('bug')")
    assert second.state == "processed"


async def test_a_decision_that_fails_halfway_leaves_no_trace_and_is_repeated(
    world: World, monkeypatch: pytest.MonkeyPatch
):
    await world.apply(campaign())
    code = await world.publish("spring", "ada")
    monkeypatch.setattr(responses, "save", failing(responses.save, OSError("the disk is full")))

    answer = await world.convert(code, "fay")

    assert answer["decision"] == "accepted"
    assert (await world.balance("ada"), await world.balance("fay")) == (100, 50)
    assert await world.activity() == [
        "code_published",
        "referral_converted",
        "reward_granted",
        "reward_granted",
    ]


async def test_a_milestone_whose_processing_fails_is_processed_later(
    world: World, monkeypatch: pytest.MonkeyPatch
):
    await world.apply(campaign(rewards={"friend": POINTS_50, "tiers": [EACH, milestone(1)]}))
    code = await world.publish("spring", "ada")
    process = failing(milestones.process, permanent_error())
    monkeypatch.setattr(milestones, "process", process)

    await world.convert(code, "fay")
    await world.until_idle()

    assert await world.balance("ada") == 1100
