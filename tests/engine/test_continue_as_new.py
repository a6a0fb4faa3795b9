"""An advocate's workflow outlives what one run can hold: it goes on as a new one, and drops nothing."""

import asyncio

import pytest

from referrals.store import schema
from tests.harness.campaigns import EACH, POINTS_50, campaign, milestone
from tests.harness.world import World, open_world
from workflows import advocate

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)

SHARES = 40
THANK = {"send": {"template": "thank_sharing", "to": "advocate", "channels": ["log"]}}
JOURNEYS = [{"name": "thanks", "on": "referral_link_shared", "steps": [THANK]}]


async def test_an_advocate_with_more_shares_than_a_run_takes_loses_none(
    database_url: str, monkeypatch: pytest.MonkeyPatch
):
    # The sandbox would read the module anew, with its own number.
    monkeypatch.setattr(advocate, "MOST_UPDATES", 5)
    async with open_world(database_url, sandbox=False) as world:
        rewards = {"friend": POINTS_50, "tiers": [EACH, milestone(3)]}
        await world.apply(campaign(journeys=JOURNEYS, rewards=rewards))
        code = await world.publish("spring", "ada")
        first = await (await world.advocate_run("spring", "ada")).describe()

        await asyncio.gather(
            *(share_in_turn(world, code, channel) for channel in ("link", "email")),
            *(world.convert(code, friend) for friend in ("fay", "gus", "hal")),
        )
        await world.settled()

        last = await (await world.advocate_run("spring", "ada")).describe()
        assert last.run_id != first.run_id
        assert last.status == first.status
        assert len(await world.all(schema.shares)) == SHARES
        assert await world.messages() == [("thank_sharing", "ada", "sent")] * SHARES
        assert await world.balance("ada") == 1300


async def share_in_turn(world: World, code: str, channel: str) -> None:
    for _ in range(SHARES // 2):
        assert (await world.share(code, channel))["decision"] == "accepted"
