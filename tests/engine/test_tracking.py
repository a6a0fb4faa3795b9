"""Journeys that send events to a provider, through the whole engine and over HTTP."""

from typing import Any

import httpx
import pytest

from entrypoints.api.main import Application
from entrypoints.api.resources import AppResources
from referrals.domain.failure_causes import FailureCause
from referrals.providers import PermanentError
from referrals.store import api_keys, schema
from tests.harness.campaigns import campaign
from tests.harness.fake_provider import FakeTracker
from tests.harness.world import World, open_world

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


def track(to: str = "advocate", event: str = "friend_bought") -> dict[str, Any]:
    return {"track": {"provider": "voucherify", "event": event, "to": to}}


JOURNEYS = [
    {"name": "now", "on": "referral_converted", "steps": [track()]},
    {"name": "later", "on": "referral_converted", "steps": [{"wait": "P1D"}, track("friend")]},
]


@pytest.fixture
async def vendor() -> FakeTracker:
    return FakeTracker()


@pytest.fixture
async def world(database_url: str, vendor: FakeTracker):
    async with open_world(database_url, providers={"voucherify": vendor}) as opened:
        await opened.apply(campaign(journeys=JOURNEYS))
        yield opened


async def states(world: World) -> list[str]:
    return sorted(row.state for row in await world.all(schema.tracked_events))


async def until_states(world: World, *expected: str) -> None:
    async def holds() -> bool:
        return await states(world) == sorted(expected)

    await world.until(holds)


async def test_events_are_sent_by_the_workflow_of_their_journey(world: World, vendor: FakeTracker):
    await world.convert(await world.publish("spring", "ada"), "fay")
    await until_states(world, "sent")
    await world.sleep(days=1, minutes=1)
    await until_states(world, "sent", "sent")

    assert [(event.customer, event.name) for event in vendor.tracked] == [
        ("ada", "friend_bought"),
        ("fay", "friend_bought"),
    ]
    await world.until_closed(await world.referral_run("spring", "fay"))


async def test_failed_events_are_retried_by_cause_over_http(world: World, vendor: FakeTracker):
    vendor.faults = [("before", PermanentError("http_402", "Unpaid.", FailureCause.PLAN))]
    await world.convert(await world.publish("spring", "ada"), "fay")
    await until_states(world, "failed")
    await world.until_closed(await world.referral_run("spring", "fay"))
    app = Application(AppResources.of(world.resources, world.client, world.inbox))
    headers = {"authorization": f"Bearer {await api_keys.create(world.store, 'operator')}"}
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app), base_url="http://api/v1/", headers=headers
    ) as http:
        path = "campaigns/spring/tracked-events"
        (failed,) = (await http.get(path, params={"cause": "plan"})).json()["data"]
        none = await http.post(f"{path}/retry", params={"cause": "stock"})
        retried = await http.post(f"{path}/retry", params={"cause": "plan"})
        await world.inbox.drain()
        await until_states(world, "sent")
        refused = await http.post(f"tracked-events/{failed['id']}/drop")
        unknown = await http.post("tracked-events/trk_0/retry")

    assert (failed["customer"], failed["error"]) == ("ada", "http_402: Unpaid.")
    assert (none.json(), retried.json()) == ({"retried": 0}, {"retried": 1})
    assert (refused.status_code, unknown.status_code) == (409, 404)
    assert unknown.json()["type"].endswith("unknown-tracked-event")
    assert len(vendor.tracked) == 1
