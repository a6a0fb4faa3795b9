"""The YAML, JSON and Python of the documentation is what it says it is."""

import json
from typing import Any

import pytest
from pydantic import ValidationError
from ruamel.yaml import YAML

from referrals.campaign_file import campaign_errors, load_campaign
from referrals.domain.campaign import Campaign
from referrals.domain.events import parse_event
from simulation.story_file import load_story
from tests.docs.pages import Block, blocks
from tests.harness.campaigns import EXAMPLES

SMALLEST = {
    "campaign": "spring",
    "name": "Spring",
    "rewards": {"friend": {"type": "points", "amount": 50}},
}


def as_campaign(part: Any) -> dict[str, Any]:
    """Return a campaign that has a part of a file: keys of a campaign, a list of journeys, or a reward."""
    if part is None:
        return SMALLEST
    if isinstance(part, list):
        return SMALLEST | {"journeys": part}
    if part.keys() <= {"friend", "tiers", "provider", "target"}:
        part = {"rewards": part}
    return SMALLEST | part


def is_story(block: Block) -> bool:
    return block.text.startswith("- at:")


@pytest.mark.parametrize("block", [b for b in blocks("yaml") if is_story(b)], ids=str)
def test_a_story_is_valid(block):
    campaign = load_campaign((EXAMPLES / "talon-one-tutorial.yaml").read_text("utf-8"))

    assert load_story(block.text, campaign).steps


@pytest.mark.parametrize("block", [b for b in blocks("yaml") if not is_story(b)], ids=str)
def test_a_part_of_a_campaign_file_is_valid(block):
    campaign = as_campaign(YAML(typ="safe", pure=True).load(block.text))

    try:
        Campaign.model_validate(campaign)
    except ValidationError as error:
        pytest.fail(str(campaign_errors(error)))


@pytest.mark.parametrize("block", blocks("json"), ids=str)
def test_json_is_json_and_an_event_is_an_event(block):
    data = json.loads(block.text)

    if "specversion" in data and data["source"] == "shop":
        parse_event(data)


@pytest.mark.parametrize("block", blocks("python"), ids=str)
def test_python_compiles(block):
    compile(block.text, str(block), "exec")
