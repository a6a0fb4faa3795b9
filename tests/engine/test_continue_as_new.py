"""Workflows that outlive a single run continue as new without losing anything."""

import asyncio

import pytest

from referrals.store import schema
from tests.harness.campaigns import EACH, POINTS_50, campaign, milestone
from tests.harness.world import World, open_world
from workflows import base

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)

SHARES = 40
THANK = {"send": {"template": "thank_sharing", "to": "advocate", "channels": ["log"]}}
JOURNEYS = [{"name": "thanks", "on": "referral_link_shared", "steps": [THANK]}]


async def test_an_advocate_with_more_shares_than_one_run_accepts_loses_none(
    database_url: str, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(base, "MAX_UPDATES_PER_RUN", 5)
    # The sandbox would import the module again, with its original limit.
    async with open_world(database_url, sandbox=False) as world:
        rewards = {"friend": POINTS_50, "tiers": [EACH, milestone(3)]}
        await world.apply(campaign(journeys=JOURNEYS, rewards=rewards))
        code = await world.publish("spring", "ada")
        first = await (await world.advocate_run("spring", "ada")).describe()

        await asyncio.gather(
            *(share_repeatedly(world, code, channel) for channel in ("link", "email")),
            *(world.convert(code, friend) for friend in ("fay", "gus", "hal")),
        )
        await world.until_idle()

        last = await (await world.advocate_run("spring", "ada")).describe()
        assert last.run_id != first.run_id
        assert last.status == first.status
        assert len(await world.all(schema.shares)) == SHARES
        assert await world.messages() == [("thank_sharing", "ada", "sent")] * SHARES
        assert await world.balance("ada") == 1300


async def share_repeatedly(world: World, code: str, channel: str) -> None:
    for _ in range(SHARES // 2):
        assert (await world.share(code, channel))["decision"] == "accepted"


async def test_a_held_referral_that_continues_as_new_is_rewarded_after_its_hold(
    database_url: str, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(base, "MAX_UPDATES_PER_RUN", 1)
    async with open_world(database_url, sandbox=False) as world:
        await world.apply(campaign(conversion={"hold": "P14D"}))
        answer = await world.convert(await world.publish("spring", "ada"), "fay")
        history = await (await world.referral_run("spring", "fay")).fetch_history()
        started = history.events[0].workflow_execution_started_event_attributes
        assert started.continued_execution_run_id

        await world.sleep(days=15)
        await world.until_state(answer["referral"], "rewarded")

        assert await world.balance("fay") == 50
