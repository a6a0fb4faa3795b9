"""Schedules, on a dev server: the time-skipping server has none."""

import asyncio

import pytest
from temporalio.client import Client
from temporalio.testing import WorkflowEnvironment

from plugin import ReferralsPlugin, open_resources
from referrals.settings import Settings
from referrals.temporal.names import EXPIRY_ID
from referrals.temporal.schedules import ensure_schedules
from tests.harness.identity import IDENTITY_SETTINGS
from tests.harness.world import executable
from worker import run_workers


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_concurrent_workers_create_one_expiry_schedule_which_runs(database_url: str):
    settings = Settings(database_url=database_url, **IDENTITY_SETTINGS)
    async with (
        open_resources(settings) as resources,
        await WorkflowEnvironment.start_local(
            dev_server_existing_path=executable("temporal"), dev_server_log_level="error"
        ) as env,
    ):
        config = env.client.config()
        config["plugins"] = [ReferralsPlugin(resources)]
        client = Client(**config)
        await asyncio.gather(*(ensure_schedules(client) for _ in range(3)))
        schedule = client.get_schedule_handle(EXPIRY_ID)
        await schedule.pause(note="By hand")
        await ensure_schedules(client)
        async with asyncio.timeout(120):  # the server applies it asynchronously
            while not (await schedule.describe()).schedule.state.paused:
                await asyncio.sleep(0.1)
        assert (await schedule.describe()).schedule.state.note == "By hand"

        async with run_workers(client):
            await schedule.unpause()
            await schedule.trigger()
            async with asyncio.timeout(120):
                while not (ran := (await schedule.describe()).info.recent_actions):
                    await asyncio.sleep(0.1)
                await client.get_workflow_handle(ran[0].action.workflow_id).result()
