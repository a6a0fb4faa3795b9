"""Cost of a referral in Temporal: billed actions and history events."""

from collections import Counter

import pytest
from temporalio.api.enums.v1 import EventType

from tests.harness.campaigns import THANKS, campaign
from tests.harness.world import World

BILLED = (
    EventType.EVENT_TYPE_WORKFLOW_EXECUTION_STARTED,
    EventType.EVENT_TYPE_WORKFLOW_EXECUTION_UPDATE_ACCEPTED,
    EventType.EVENT_TYPE_MARKER_RECORDED,  # the local activities of a workflow task
    EventType.EVENT_TYPE_TIMER_STARTED,
    EventType.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED,
    EventType.EVENT_TYPE_UPSERT_WORKFLOW_SEARCH_ATTRIBUTES,
)
"""Events of a referral that Temporal Cloud bills as actions."""

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


async def lifecycle(world: World, *, sign_up: bool) -> Counter[int]:
    """Run a lifecycle and count its history events by type."""
    await world.apply(campaign(journeys=THANKS))
    code = await world.publish("spring", "ada")
    advocate = await world.advocate_run("spring", "ada")
    before = len((await advocate.fetch_history()).events)
    if sign_up:
        await world.sign_up(code, "fay")
    answer = await world.convert(code, "fay")
    await world.until_idle()
    run = await world.referral_run("spring", "fay")
    await world.until_closed(run)

    assert await world.state(answer["referral"]) == "rewarded"
    assert [state for *_, state in await world.messages()] == ["sent", "sent"]
    assert len((await advocate.fetch_history()).events) == before
    return Counter(event.event_type for event in (await run.fetch_history()).events)


async def test_a_sign_up_and_conversion_create_at_most_14_history_events(world: World):
    assert (await lifecycle(world, sign_up=True)).total() <= 14  # the contract allows 30


async def test_a_conversion_without_sign_up_creates_at_most_12_history_events(world: World):
    assert (await lifecycle(world, sign_up=False)).total() <= 12  # the contract allows 25


async def test_a_lifecycle_with_two_messages_uses_at_most_6_billed_actions(
    world: World,
):
    events = await lifecycle(world, sign_up=True)

    assert sum(events[billed] for billed in BILLED) <= 6


async def test_a_lifecycle_starts_one_workflow(world: World):
    await lifecycle(world, sign_up=True)
    run = await world.referral_run("spring", "fay")

    history = await run.fetch_history()

    started = history.events[0].workflow_execution_started_event_attributes
    assert started.original_execution_run_id == started.first_execution_run_id
    assert not started.continued_execution_run_id
