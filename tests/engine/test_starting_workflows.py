"""Journeys start workflows of others: once each, with the event, whatever crashes."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from temporalio import workflow
from temporalio.client import Client
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

from activities.journeys import JourneyActivities
from referrals.store import schema
from tests.harness.campaigns import campaign
from tests.harness.journeys import NUDGE, joined, journey, states, until_at, until_states
from tests.harness.world import World

CRM = "crm"
VIP = {"start_workflow": {"type": "VipOnboarding", "task_queue": CRM}}


@workflow.defn(name="VipOnboarding")
class VipOnboarding:
    """Somebody else's, which knows nothing of this engine."""

    @workflow.run
    async def run(self, event: dict[str, Any]) -> dict[str, Any]:
        return event


@pytest.fixture(autouse=True)
async def crm(world: World) -> AsyncIterator[None]:
    """A worker of others on their task queue."""
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


async def test_a_workflow_is_started_with_the_event_and_ids_alone(world: World):
    await world.apply(campaign(journeys=[journey(VIP, on="referral_converted")]))
    code = await world.publish("spring", "ada")
    answer = await world.convert(code, "fay")

    (start,) = await until_started(world, "started")

    event = await world.env.client.get_workflow_handle(start.key).result()
    assert event["type"] == "referral_converted"
    assert event["specversion"] == "1.0"
    assert event["data"] == {
        "campaign": "spring",
        "advocate": (await world.advocate("ada")).id,
        "friend": await world.customer_id("fay"),
        "referral": answer["referral"],
    }
    assert start.key.startswith(f"journey/nudge/{answer['referral']}/jrn_")
    assert start.key.endswith("/0")


async def test_a_journey_that_waits_starts_it_when_it_gets_there(world: World):
    await joined(world, {"wait": "P2D"}, VIP)
    await until_at(world, 0)
    assert await world.all(schema.workflow_starts) == []

    await world.sleep(days=2, minutes=1)

    await until_started(world, "started")
    await until_states(world, "done")


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_it_is_started_in_the_namespace_that_the_step_names(world: World):
    sales = {"start_workflow": VIP["start_workflow"] | {"namespace": "sales"}}
    await world.apply(campaign(journeys=[journey(sales, on="referral_converted")]))
    await world.convert(await world.publish("spring", "ada"), "fay")

    (start,) = await until_started(world, "started")

    elsewhere = Client(world.env.client.service_client, namespace="sales")
    described = await elsewhere.get_workflow_handle(start.key).describe()
    assert (described.workflow_type, described.task_queue) == ("VipOnboarding", CRM)


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_one_that_was_started_before_a_crash_is_not_started_again(
    world: World, monkeypatch: pytest.MonkeyPatch
):
    """The activity dies between the start and the note of it, twice."""
    deaths = iter([ConnectionError("gone"), ConnectionError("gone")])
    settle = "activities.journeys.starts.settle"
    original = JourneyActivities.start_workflow.__globals__["starts"].settle

    async def dying(*args: Any) -> None:
        if error := next(deaths, None):
            raise error
        await original(*args)

    monkeypatch.setattr(settle, dying)
    await world.apply(campaign(journeys=[journey(VIP, on="referral_converted")]))
    await world.convert(await world.publish("spring", "ada"), "fay")
    for _ in range(3):
        await world.sleep(minutes=1)

    (start,) = await until_started(world, "started")
    first = await world.client.get_workflow_handle(start.key).describe()
    assert first.run_id == first.raw_description.workflow_execution_info.first_run_id


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_what_the_server_refuses_for_good_is_kept_as_failed_and_holds_nothing_up(
    world: World, monkeypatch: pytest.MonkeyPatch
):
    async def refused(*_: Any) -> None:
        raise _not_found()

    monkeypatch.setattr("activities.journeys._start", refused)
    await joined(world, VIP, {"wait": "P1D"}, NUDGE)

    (start,) = await until_started(world, "failed")

    assert "Namespace elsewhere is not found" in start.reason
    assert await states(world) == ["running"]


def _not_found() -> Exception:
    from temporalio.service import RPCError, RPCStatusCode

    return RPCError("Namespace elsewhere is not found.", RPCStatusCode.NOT_FOUND, b"")


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_shares_at_once_start_one_workflow_each(world: World):
    await world.apply(campaign(journeys=[journey(VIP, on="referral_link_shared")]))
    code = await world.publish("spring", "ada")

    await asyncio.gather(*(world.share(code) for _ in range(5)))

    starts = await until_started(world, *["started"] * 5)
    assert len({start.key for start in starts}) == 5
