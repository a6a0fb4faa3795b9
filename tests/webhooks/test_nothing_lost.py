"""Completeness of deliveries when transactions commit in a different order than they began."""

from contextlib import AsyncExitStack

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from referrals.store import Store, schema
from referrals.store.activity.cursor import ActivityLogCursor
from referrals.store.webhooks import subscriptions
from tests.webhooks.conftest import Office

pg_only = pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)


def _insert_activity(office: Office, number: int) -> object:
    return schema.activity.insert().values(
        type="code_published",
        at=office.harness.time,
        actor="shop",
        campaign_id="spring",
        data={"number": number},
    )


@pg_only  # SQLite has one writer at a time
@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    endings=st.permutations(range(4)).flatmap(
        lambda order: st.tuples(st.just(order), st.lists(st.booleans(), min_size=4, max_size=4))
    )
)
async def test_event_of_a_late_commit_is_delivered(
    office: Office, endings: tuple[list[int], list[bool]]
):
    order, commits = endings
    webhook = await office.subscribe("code_published")
    async with AsyncExitStack() as stack:
        connections = []
        for _ in order:
            connection = await stack.enter_async_context(office.store.engine.connect())
            await connection.begin()
            connections.append(connection)
        for number, connection in enumerate(connections):
            await connection.execute(_insert_activity(office, number))
            await office.deliver()
        for number in order:
            connection = connections[number]
            await (connection.commit() if commits[number] else connection.rollback())
            await office.deliver()
            await office.deliver()

    expected = {number for number in range(4) if commits[number]}
    delivered = {d.event for d in await office.deliveries(webhook.id) if d.state == "delivered"}
    seen = {e["data"]["data"]["number"] for e in office.receiver.events if e["id"] in delivered}
    assert seen == expected
    assert len(delivered) == len(expected)
    async with office.store.begin() as tx:
        await subscriptions.delete(tx, webhook.id)


@pg_only
async def test_log_is_complete_only_below_ids_of_open_writers(office: Office, store: Store):
    cursor = ActivityLogCursor()

    async def look() -> int:
        async with store.read() as tx:
            return await cursor.advance(tx)

    start = await look()
    late = await store.engine.connect()
    await late.begin()
    await late.execute(_insert_activity(office, 1))
    async with store.begin() as tx:
        await tx.execute(_insert_activity(office, 2))

    assert [await look() for _ in range(3)] == [start] * 3
    async with store.begin() as other:  # a writer that begins later blocks nothing
        await late.commit()
        await late.close()
        await other.execute(_insert_activity(office, 3))
        assert await look() == start + 2
    await look()
    assert await look() == start + 3


async def test_webhook_far_behind_catches_up(office: Office, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("referrals.store.webhooks.deliveries.MAX_BATCH_SIZE", 3)
    webhook = await office.subscribe("reward_granted")
    code = await office.harness.publish("spring", "ada")
    for number in range(6):
        await office.harness.convert(code, f"fay-{number}")
    await office.deliver()

    granted = [row.id for row in await office.log() if row.type == "reward_granted"]
    assert sorted(office.receiver.ids) == sorted(f"act_{number}" for number in granted)
    assert len(await office.deliveries(webhook.id)) == len(granted)
