"""A simulation ends in the same decisions, rewards, messages and times as the workflows on the time-skipping server."""

import os
from dataclasses import replace
from datetime import datetime, timedelta
from random import Random
from typing import Any

import pytest
from pydantic import SecretStr

from referrals.campaign_file import load_campaign
from referrals.channels import Channel
from referrals.domain.campaign import Campaign
from referrals.providers import Provider
from simulation.engine import KEY_SEED, UNLIMITED
from simulation.stand_ins import StandInChannel, StandInProvider
from simulation.story_file import Story, load_story
from tests.harness.campaigns import EXAMPLES
from tests.harness.random_stories import random_campaign, random_story
from tests.harness.story_world import play_twice
from tests.harness.world import World, open_world

STORIES = int(os.environ.get("REFERRALS_TEST_STORIES", "3"))
PER_WORLD = 10
LENGTH = 12
LEAD = timedelta(hours=2)
"""Least time between now and the next hour at which a story starts, so that it is simulated before."""


CHANNELS: dict[str, Channel] = {name: StandInChannel(name) for name in ("email", "whatsapp")}
PROVIDERS: dict[str, Provider] = {name: StandInProvider(name) for name in ("http", "voucherify")}
SETTINGS: dict[str, Any] = {
    "quiet_hours": "21:00-08:00",
    "reward_key_secret": SecretStr(KEY_SEED),  # rewards are ordered by their keys
    "voucherify_per_second": UNLIMITED,
    "http_rewards_per_second": UNLIMITED,
}


async def differences(world: World, seed: int) -> list[str]:
    """Play a random story in a simulation and on the world; return how the results differ."""
    random = Random(seed)
    campaign = Campaign.model_validate(random_campaign(random, f"story-{seed}"))
    start = (world.now() + LEAD).replace(minute=17, second=0, microsecond=0)
    story = random_story(random, campaign, start, f"s{seed}-", LENGTH)
    simulated, real = await play_twice(campaign, story, world)
    return simulated.differences(real)


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
@pytest.mark.parametrize("first", range(0, STORIES, PER_WORLD))
async def test_random_stories_end_as_on_the_server(database_url: str, first: int):
    seeds = range(first, min(first + PER_WORLD, STORIES))
    async with open_world(database_url, CHANNELS, PROVIDERS, **SETTINGS) as world:
        found = {seed: await differences(world, seed) for seed in seeds}

    assert {seed: each for seed, each in found.items() if each} == {}


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
@pytest.mark.parametrize("name", ["active-reach", "talon-one-tutorial", "voucherify"])
async def test_an_example_ends_as_on_the_server(database_url: str, name: str):
    campaign = load_campaign((EXAMPLES / f"{name}.yaml").read_text("utf-8"))
    story = load_story((EXAMPLES / f"{name}.events.yaml").read_text("utf-8"), campaign)
    async with open_world(database_url, CHANNELS, PROVIDERS, **SETTINGS) as world:
        start = (world.now() + LEAD).replace(minute=0, second=0, microsecond=0)
        simulated, real = await play_twice(campaign, _starting_at(story, start), world)

    assert simulated.failures == []
    # On the server events take time: expectations that are exact to the minute may miss.
    assert simulated.differences(replace(real, failures=[])) == []


def _starting_at(story: Story, start: datetime) -> Story:
    first, *others = story.steps
    steps = (first.model_copy(update={"at": start}), *others)
    return replace(story, steps=steps, start=start)
