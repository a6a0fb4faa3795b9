"""Queries of each step of a referral use an index: they cost the same with a million rows as with none."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import event, select, text

from referrals.domain.actors import SYSTEM_ACTOR
from referrals.store import Store, lookups
from referrals.store.db.pages import Cursor
from referrals.store.db.sql import RowCache
from referrals.store.flow import pending_work
from referrals.store.inbox import inbox_events
from referrals.store.ledger import expiry
from referrals.store.messaging import drafts, log_channel
from referrals.store.messaging.channel_selection import SendingRules
from referrals.store.referrals import timers
from referrals.store.reporting import reward_lists, rule_rejections, workflow_start_lists
from referrals.store.schema import messages
from referrals.store.schema import rewards as rewards_table
from referrals.store.schema.base import metadata
from referrals.store.webhooks import deliveries, delivery_lists
from tests.harness.campaigns import EACH, POINTS_50, THANKS, campaign, milestone
from tests.harness.deliveries import Deliveries
from tests.harness.fake_provider import FakeProvider
from tests.harness.store_harness import StoreHarness

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)

SCAN = re.compile(r"SCAN (?!\d|CONSTANT|\(?subquery)(\w+)(?: USING (?:COVERING )?INDEX (\w+))?")
SMALL = {"campaigns", "webhooks"}
UNDER_WAY = {
    "ix_inbox_events_open",
    "ix_messages_pending",
    "ix_tracked_events_pending",
    "ix_webhook_deliveries_due",
}
"""Indexes of what is still to be done: all the rest is not in them."""
EXCEPTIONAL = {
    "ix_activity_rules",
    "ix_webhook_deliveries_failed",
    "ix_workflow_starts_failed",
}
"""Indexes of what was rejected or failed, which only operators read."""


@contextmanager
def asked(store: Store) -> Iterator[dict[str, Any]]:
    """The statements of the block, each with one set of its values."""
    seen: dict[str, Any] = {}

    def note(_: Any, __: Any, statement: str, values: Any, ___: Any, many: bool) -> None:
        seen[statement] = values[0] if many else values

    event.listen(store.decisions, "before_cursor_execute", note)
    yield seen
    event.remove(store.decisions, "before_cursor_execute", note)


async def scans(store: Store, statements: dict[str, Any]) -> dict[str, list[str]]:
    """Tables that a statement looks through, by statement."""

    def explain(connection: Any) -> dict[str, list[str]]:
        scans = {}
        for statement in statements:
            if statement.startswith(
                ("BEGIN", "INSERT")
            ):  # what refers to a new row, nobody looks for
                continue
            nothing = (None,) * statement.count("?")
            rows = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", nothing)
            scanned = [match for row in rows if (match := SCAN.match(row[3]))]
            found = {scan[1] for scan in scanned if scan[2] not in UNDER_WAY | EXCEPTIONAL}
            if tables := found & metadata.tables.keys() - SMALL:  # not what is made on the way
                scans[statement] = sorted(tables)
        return scans

    async with store.read() as tx:
        return dict(await tx.run_sync(explain))


async def workflow_of(harness: StoreHarness, referral: str) -> str:
    async with harness.store.read() as tx:
        return (await lookups.get_referral(tx, referral)).workflow_id


async def test_no_step_of_a_referral_looks_through_a_table(store: Store):
    harness = StoreHarness(store)
    tiers = [EACH, milestone(1)]
    await harness.apply(
        campaign(rewards={"friend": POINTS_50, "tiers": tiers}, journeys=THANKS, code={"uses": 9})
    )
    with asked(store) as statements:
        code = await harness.publish("spring", "ada")
        await harness.sign_up(code, "fay")
        referral = (await harness.convert(code, "fay"))["referral"]
        workflow = await workflow_of(harness, referral)
        async with store.begin() as tx:
            left = await pending_work.find_for_referral(tx, workflow, harness.time)
            assert left.messages
            assert left.milestones
            known = RowCache(tx)
            for topic in await log_channel.lock_pending(
                tx, left.messages, SendingRules({"log": False})
            ):
                await drafts.build_draft(known, topic, "http://x")
            await pending_work.find_for_advocate(
                tx, "spring", left.milestones[0].advocate_id, harness.time
            )
            await timers.process_due(tx, workflow, SYSTEM_ACTOR, harness.time)
        await harness.roll_back(referral)

    assert await scans(store, statements) == {}


async def test_a_merge_looks_through_no_table(store: Store):
    harness = StoreHarness(store)
    tiers = [EACH, milestone(1)]
    await harness.apply(
        campaign(rewards={"friend": POINTS_50, "tiers": tiers}, journeys=THANKS, code={"uses": 9})
    )
    for name in ("ada", "guest"):
        code = await harness.publish("spring", name)
        await harness.convert(code, f"friend-of-{name}")
    await harness.convert(code, "ada")
    with asked(store) as statements:
        await harness.merge("ada", "guest")

    assert await scans(store, statements) == {}


async def test_a_reward_that_repays_what_is_owed_looks_through_no_table(store: Store):
    """Owe 30 of 100 points, repay them, and owe them again."""
    harness, vendor = StoreHarness(store), FakeProvider()
    rewards = {"tiers": [EACH], "provider": "http", "target": {}}
    await harness.apply(campaign(rewards=rewards))
    deliveries = Deliveries(harness, vendor)
    code = await harness.publish("spring", "ada")
    for friend, vendor.holds in (("fay", 70), ("gus", None)):
        referral = (await harness.convert(code, friend))["referral"]
        (reward,) = await harness.all(rewards_table, referral_id=referral)
        with asked(store) as statements:
            await deliveries.attempt(reward.id)
            await harness.roll_back(referral)
            for _ in range(2):
                await deliveries.attempt(reward.id)
        assert await scans(store, statements) == {}
    assert await harness.balance("ada", "owed") == -30


async def test_no_frequent_query_scans_a_table(store: Store):
    now = StoreHarness(store).now()
    with asked(store) as statements:
        await StoreHarness(store).apply(campaign())
        async with store.begin() as tx:
            await inbox_events.find_due(tx, now, now - timedelta(minutes=1), 500)
            await expiry.expire_due(tx, now, 100)
            await deliveries.due_groups(tx, now)
            await rule_rejections.list_problems(tx)
            await rule_rejections.list_rejections(tx, "spring")
            await delivery_lists.count_failed(tx)
            await delivery_lists.list_deliveries(tx, Cursor(), campaign="spring", state="failed")
            await delivery_lists.list_deliveries(tx, Cursor(), campaign="spring")
            await workflow_start_lists.count_failed(tx)
            await workflow_start_lists.list_workflow_starts(tx, Cursor(), campaign="spring")
            await reward_lists.list_rewards(tx, "spring", Cursor(), now, awaiting_approval=True)

    assert await scans(store, statements) == {}


async def test_a_table_scan_is_detected(store: Store):
    statement = str(select(messages.c.id).where(messages.c.referral_id == text("?")))

    assert await scans(store, {statement: None}) == {statement: ["messages"]}
