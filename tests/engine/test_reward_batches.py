"""Operator commands for all rewards that match a filter, over HTTP."""

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from entrypoints.api.main import Application
from entrypoints.api.resources import AppResources
from referrals.store import api_keys
from tests.harness.campaigns import POINTS_50, campaign
from tests.harness.world import World

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)

FRIENDS = [f"friend-{number}" for number in range(5)]
WHY = {"reason": "By hand."}


@pytest.fixture
async def http(world: World) -> AsyncIterator[httpx.AsyncClient]:
    app = Application(AppResources.of(world.resources, world.client, world.inbox))
    headers = {"authorization": f"Bearer {await api_keys.create(world.store, 'operator')}"}
    url = "http://api/v1/campaigns/spring/"
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app), base_url=url, headers=headers
    ) as client:
        yield client


async def do(http: httpx.AsyncClient, action: str, body: Any = None, **params: Any) -> list[str]:
    """Page by page; what became of each."""
    outcomes: list[str] = []
    while True:
        response = await http.post(f"rewards/{action}", params=params, json=body)
        answer = response.raise_for_status().json()
        outcomes += [f"{row['outcome']}: {row['detail'] or row['state']}" for row in answer["data"]]
        if answer["next"] is None:
            return outcomes
        params["after"] = answer["next"]


async def given(world: World, **rewards: Any) -> None:
    await world.apply(campaign(rewards={"friend": POINTS_50} | rewards))
    code = await world.publish("spring", "ada")
    for friend in FRIENDS:
        await world.convert(code, friend)


async def failed(http: httpx.AsyncClient, **params: Any) -> int:
    answer = await http.get("rewards", params={"state": "failed"} | params)
    return len(answer.json()["data"])


async def test_all_that_failed_are_voided_page_by_page_and_once(
    world: World, http: httpx.AsyncClient
):
    await given(world, provider="http")  # which is not set up here
    await world.until(lambda: _are(5, failed(http)))

    assert await do(http, "void", WHY, state="failed", customer="friend-1") == ["done: voided"]
    assert await do(http, "void", WHY, state="failed", limit=3) == ["done: voided"] * 4
    assert await do(http, "void", WHY, state="failed") == []
    refused = "refused: The reward is voided, not failed."
    assert await do(http, "retry", state="voided", side="friend") == [refused] * 5


async def test_failed_rewards_are_found_by_provider_side_and_error(
    world: World, http: httpx.AsyncClient
):
    await given(world, provider="http")
    await world.until(lambda: _are(5, failed(http)))

    assert await failed(http, provider="http", side="friend", error="not_set_up") == 5
    assert await failed(http, cause="credentials") == 5
    assert await failed(http, cause="plan") == 0
    assert await do(http, "retry", state="failed", cause="plan") == []
    assert (await http.get("rewards", params={"cause": "bad"})).status_code == 422
    assert await failed(http, provider="ledger") == 0
    assert await failed(http, side="advocate") == 0
    assert await failed(http, error="not_found") == 0
    assert await do(http, "retry", state="failed", error="not_found") == []


async def test_rewards_awaiting_approval_can_be_granted_and_rolled_back(
    world: World, http: httpx.AsyncClient
):
    await given(world, approval="manual")

    assert await do(http, "approve", state="pending") == ["done: granted"] * 5
    assert await world.balance("friend-4") == 50
    assert await do(http, "roll-back", WHY, state="granted") == ["done: rolled_back"] * 5
    assert await world.balance("friend-4") == 0


async def test_without_a_state_or_a_reason_nothing_is_done(world: World, http: httpx.AsyncClient):
    await world.apply(campaign())

    assert (await http.post("rewards/retry")).status_code == 422
    assert (await http.post("rewards/void", params={"state": "failed"})).status_code == 422
    assert (await http.post("rewards/void?state=lost", json=WHY)).status_code == 422
    nowhere = await http.post("../summer/rewards/retry", params={"state": "failed"})
    assert nowhere.status_code == 404


async def _are(wanted: int, found: Any) -> bool:
    return await found == wanted
