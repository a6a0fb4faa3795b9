"""Without a workflow cache every workflow task replays the whole history, so that nondeterministic code fails at once."""

from functools import partial

import pytest
from temporalio.worker import Worker

from tests.harness.world import open_world
from tests.replay.scenarios import SCENARIOS, channels_of


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
@pytest.mark.parametrize("scenario", SCENARIOS)
async def test_a_scenario_completes_when_every_task_replays(
    scenario: str, database_url: str, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("worker.Worker", partial(Worker, max_cached_workflows=0))
    async with open_world(database_url, channels_of(scenario)) as world:
        await SCENARIOS[scenario](world)
        await world.until_idle()
