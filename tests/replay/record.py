"""Record the histories that `test_replay.py` replays: `python -m tests.replay.record VERSION [SCENARIO…]`.

Recorded histories represent workflows that run in production, so a released version's histories are never overwritten. A
change of the workflows gets histories of its own, and the older ones must replay as long as such workflows may be open.
"""

import asyncio
import re
import sys
import tempfile
from pathlib import Path

from referrals.store import schema
from referrals.store.db import migrate
from referrals.temporal.names import (
    EXPIRY_ID,
    advocate_workflow_id,
    journey_workflow_id,
    referral_workflow_id,
)
from tests.harness.world import World, open_world
from tests.replay.scenarios import SCENARIOS, channels_of

HISTORIES = Path(__file__).parent / "histories"


async def record(scenario: str, folder: Path) -> None:
    with tempfile.TemporaryDirectory() as data:
        url = f"sqlite+aiosqlite:///{data}/referrals.db"
        await asyncio.to_thread(migrate.upgrade, url)
        async with open_world(url, channels_of(scenario)) as world:
            await SCENARIOS[scenario](world)
            await world.until_idle()
            await _save(world, folder / scenario)


async def _save(world: World, folder: Path) -> None:
    await asyncio.to_thread(folder.mkdir, parents=True)
    for kind, workflow_id in (await _workflow_ids(world)).items():
        run = world.client.get_workflow_handle(workflow_id)
        history = (await run.fetch_history()).to_json()
        # The identity names the machine and the process.
        history = re.sub(r'"identity": "[^"]*"', '"identity": "worker"', history)
        await asyncio.to_thread((folder / f"{kind}.json").write_text, history)


async def _workflow_ids(world: World) -> dict[str, str]:
    """Return the scenario's workflow of each kind."""
    ids = {}
    for customer in await world.all(schema.customers):
        if await world.all(schema.advocates, customer_id=customer.id):
            ids["advocate"] = advocate_workflow_id("spring", customer.id)
        else:
            ids["referral"] = referral_workflow_id("spring", customer.id)
    if any(reward.expired_at for reward in await world.all(schema.rewards)):
        ids["expiry"] = EXPIRY_ID
    for run in await world.all(schema.journey_runs):
        ids["journey"] = journey_workflow_id(run.journey, run.subject, run.id)
    return ids


async def main(version: str, *scenarios: str) -> None:
    for scenario in scenarios or SCENARIOS:
        await record(scenario, HISTORIES / version)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
