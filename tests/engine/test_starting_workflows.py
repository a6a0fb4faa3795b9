"""Journeys start workflows of other systems: once each, with the event, whatever crashes."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any, ClassVar

import pytest
from temporalio import workflow
from temporalio.client import Client
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

from referrals.store import schema
from referrals.store.journeys import workflow_starts
from tests.harness.campaigns import campaign
from tests.harness.journeys import (
    NUDGE,
    journey,
    start_journey,
    states,
    until_at_step,
    until_states,
)
from tests.harness.world import World

CRM = "crm"
VIP = {"start_workflow": {"type": "VipOnboarding", "task_queue": CRM}}


@workflow.defn(name="VipOnboarding")
class VipOnboarding:
    """A workflow of another system, which does not know this engine."""

    run_ids: ClassVar[set[str]] = set()

    @workflow.run
    async def run(self, event: dict[str, Any]) -> dict[str, Any]:
        self.run_ids.add(workflow.info().run_id)
        return event


@pytest.fixture(autouse=True)
async def crm(world: World) -> AsyncIterator[None]:
    """Run a worker of the other system on its task queue."""
    VipOnboarding.run_ids.clear()
    async with Worker(
        world.env.client,
        task_queue=CRM,
        workflows=[VipOnboarding],
        workflow_runner=UnsandboxedWorkflowRunner(),
    ):
        yield


async def until_started(world: World, *wanted: str) -> list[Any]:
    """Wait until all starts are in these states; returns them."""

    async def holds() -> bool:
        found = await world.all(schema.workflow_starts)
        return [start.state for start in found] == list(wanted)

    await world.until(holds)
    return await world.all(schema.workflow_starts)


async def test_a_started_workflow_receives_only_the_event_and_ids(world: World):
    await world.apply(campaign(journeys=[journey(VIP, on="referral_converted")]))
    code = await world.publish("spring", "ada")
    answer = await world.convert(code, "fay")

    (start,) = await until_started(world, "started")

    event = await world.env.client.get_workflow_handle(start.key).result()
    assert event["type"] == "referral_converted"
    assert event["specversion"] == "1.0"
    assert event["subject"] == answer["referral"]
    assert event["data"]["advocate"] == await world.customer_id("ada")
    assert event["data"]["customer"] == await world.customer_id("fay")
    assert start.key.startswith(f"journey/nudge/{answer['referral']}/jrn_")
    assert start.key.endswith("/0")


async def test_a_journey_that_waits_starts_the_workflow_after_its_wait(world: World):
    await start_journey(world, {"wait": "P2D"}, VIP)
    await until_at_step(world, 0)
    assert await world.all(schema.workflow_starts) == []

    await world.sleep(days=2, minutes=1)

    await until_started(world, "started")
    await until_states(world, "done")


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_a_workflow_is_started_in_the_namespace_that_the_step_names(world: World):
    sales = {"start_workflow": VIP["start_workflow"] | {"namespace": "sales"}}
    await world.apply(campaign(journeys=[journey(sales, on="referral_converted")]))
    await world.convert(await world.publish("spring", "ada"), "fay")

    (start,) = await until_started(world, "started")

    elsewhere = Client(world.env.client.service_client, namespace="sales")
    described = await elsewhere.get_workflow_handle(start.key).describe()
    assert (described.workflow_type, described.task_queue) == ("VipOnboarding", CRM)


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_a_workflow_started_before_a_crash_is_not_started_twice(
    world: World, monkeypatch: pytest.MonkeyPatch
):
    """The activity dies twice, after the start and before it records it."""
    deaths = iter([ConnectionError("gone"), ConnectionError("gone")])
    original = workflow_starts.complete

    async def dying(*args: Any) -> None:
        if error := next(deaths, None):
            raise error
        await original(*args)

    monkeypatch.setattr(workflow_starts, "complete", dying)
    await world.apply(campaign(journeys=[journey(VIP, on="referral_converted")]))
    await world.convert(await world.publish("spring", "ada"), "fay")
    for _ in range(3):
        await world.sleep(minutes=1)

    (start,) = await until_started(world, "started")
    await world.env.client.get_workflow_handle(start.key).result()
    assert next(deaths, None) is None
    assert len(VipOnboarding.run_ids) == 1


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_a_start_that_the_server_refuses_permanently_fails_and_the_journey_goes_on(
    world: World, monkeypatch: pytest.MonkeyPatch
):
    async def refused(*_: Any) -> None:
        raise _not_found()

    monkeypatch.setattr("activities.journeys._start", refused)
    await start_journey(world, VIP, {"wait": "P1D"}, NUDGE)

    (start,) = await until_started(world, "failed")

    assert start.reason == "Temporal has no such namespace."
    assert await states(world) == ["running"]

    monkeypatch.undo()
    async with world.store.begin() as tx:
        await workflow_starts.retry(tx, start.id, "operator", world.now())
    await world.inbox.drain()
    await until_started(world, "started")


def _not_found() -> Exception:
    from temporalio.service import RPCError, RPCStatusCode

    return RPCError("Namespace elsewhere is not found.", RPCStatusCode.NOT_FOUND, b"")


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_simultaneous_shares_start_one_workflow_each(world: World):
    await world.apply(campaign(journeys=[journey(VIP, on="referral_link_shared")]))
    code = await world.publish("spring", "ada")

    await asyncio.gather(*(world.share(code) for _ in range(5)))

    starts = await until_started(world, *["started"] * 5)
    assert len({start.key for start in starts}) == 5
