"""Record the histories that `test_replay.py` replays: `python -m tests.replay.record VERSION [SCENARIO…]`.

A recorded history is evidence of what ran in production. It is never written over: a change of the workflows gets
histories of its own beside the old ones, which must go on replaying as long as such runs may be open.
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
            await world.settled()
            await _keep(world, folder / scenario)


async def _keep(world: World, folder: Path) -> None:
    await asyncio.to_thread(folder.mkdir, parents=True)
    for kind, workflow_id in (await _runs(world)).items():
        run = world.client.get_workflow_handle(workflow_id)
        history = (await run.fetch_history()).to_json()
        # Which machine ran it is nobody's business.
        history = re.sub(r'"identity": "[^"]*"', '"identity": "worker"', history)
        await asyncio.to_thread((folder / f"{kind}.json").write_text, history)


async def _runs(world: World) -> dict[str, str]:
    """The workflow of each kind that the scenario has had."""
    runs = {}
    for customer in await world.all(schema.customers):
        if await world.all(schema.advocates, customer_id=customer.id):
            runs["advocate"] = advocate_workflow_id("spring", customer.id)
        else:
            runs["referral"] = referral_workflow_id("spring", customer.id)
    if any(reward.expired_at for reward in await world.all(schema.rewards)):
        runs["expiry"] = EXPIRY_ID
    for run in await world.all(schema.journey_runs):
        runs["journey"] = journey_workflow_id(run.journey, run.subject, run.id)
    return runs


async def main(version: str, *scenarios: str) -> None:
    for scenario in scenarios or SCENARIOS:
        await record(scenario, HISTORIES / version)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
