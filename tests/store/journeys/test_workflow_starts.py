"""Workflows that journeys start: failed starts are listed, retried by the advocate's workflow, and dropped."""

from typing import Any

import pytest

from referrals.errors import NotPossibleError, UnknownWorkflowStartError
from referrals.store import Store, schema
from referrals.store.db.pages import Cursor
from referrals.store.flow import pending_work
from referrals.store.journeys import advocate_resumption, workflow_starts
from referrals.store.reporting import workflow_start_lists
from referrals.store.reporting.summary import summarise
from tests.harness.campaigns import campaign
from tests.harness.store_harness import StoreHarness

STEP = {"start_workflow": {"type": "VipOnboarding", "task_queue": "crm"}}
JOURNEY = {"name": "vip", "on": "referral_converted", "steps": [STEP]}
ALL = Cursor(200)
ERROR = "Temporal has no such namespace."


@pytest.fixture
async def harness(store: Store) -> StoreHarness:
    """A start that has failed."""
    opened = StoreHarness(store, repeat=True)
    await opened.apply(campaign(journeys=[JOURNEY]))
    await opened.convert(await opened.publish("spring", "ada"), "fay")
    async with store.begin() as tx:
        await workflow_starts.complete(tx, (await start(opened)).id, "failed", opened.now(), ERROR)
    return opened


async def start(harness: StoreHarness) -> Any:
    (row,) = await harness.all(schema.workflow_starts)
    return row


async def retry(harness: StoreHarness, start_id: str) -> None:
    async with harness.store.begin() as tx:
        await workflow_starts.retry(tx, start_id, "operator", harness.now())


async def test_failed_starts_are_listed_and_counted(harness: StoreHarness):
    async with harness.store.read() as tx:
        for filters in ({}, {"state": "failed"}, {"campaign": "spring"}):
            (found,) = (await workflow_start_lists.list_workflow_starts(tx, ALL, **filters)).data
        none = await workflow_start_lists.list_workflow_starts(tx, ALL, state="started")
        failed = await workflow_start_lists.count_failed(tx)
        summary = await summarise(tx, "spring", harness.now())

    assert (found.type, found.task_queue, found.namespace) == ("VipOnboarding", "crm", None)
    assert (found.state, found.error) == ("failed", ERROR)
    assert none.data == []
    assert (failed, summary.attention.workflow_starts_failed) == (1, 1)


async def test_the_advocate_s_workflow_starts_it_again(harness: StoreHarness):
    row = await start(harness)
    await retry(harness, row.id)

    again, advocate = await start(harness), (await harness.all(schema.advocates))[0]
    assert (again.state, again.reason, again.sender_id) == ("pending", None, advocate.id)
    (command,) = await harness.all(schema.inbox_events, type=advocate_resumption.RESUME_COMMAND)
    assert command.data == {"advocate": advocate.id}
    async with harness.store.read() as tx:
        work = await pending_work.find_for_advocate(
            tx, "spring", advocate.customer_id, harness.now()
        )
    assert work.workflows_to_start == (row.id,)
    with pytest.raises(NotPossibleError, match="is pending, not failed"):
        await retry(harness, row.id)


async def test_the_survivor_s_workflow_starts_it_for_a_merged_advocate(harness: StoreHarness):
    await harness.publish("spring", "ada-2")
    await harness.merge("ada-2", "ada")
    await retry(harness, (await start(harness)).id)

    (survivor,) = [row for row in await harness.all(schema.advocates) if not row.merged_into]
    assert (await start(harness)).sender_id == survivor.id


async def test_a_failed_start_is_dropped_once_with_its_error(harness: StoreHarness):
    row = await start(harness)
    async with harness.store.begin() as tx:
        await workflow_starts.drop(tx, row.id, harness.now())
        with pytest.raises(NotPossibleError, match="is dropped, not failed"):
            await workflow_starts.drop(tx, row.id, harness.now())
        with pytest.raises(UnknownWorkflowStartError):
            await workflow_starts.drop(tx, "wfs_0", harness.now())

    assert (await start(harness)).reason == ERROR
