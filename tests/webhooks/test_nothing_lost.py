"""Transactions commit in another order than they began in, and no event is left out for it."""

from contextlib import AsyncExitStack

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from referrals.store import Store, schema
from referrals.store.activity.cursor import Tail
from referrals.store.webhooks import subscriptions
from tests.webhooks.conftest import Office

pg_only = pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)


def _happened(office: Office, number: int) -> object:
    return schema.activity.insert().values(
        type="code_published",
        at=office.books.now,
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
async def test_an_event_whose_transaction_commits_late_is_delivered_none_the_less(
    office: Office, endings: tuple[list[int], list[bool]]
):
    order, commits = endings
    webhook = await office.subscribe("code_published")
    async with AsyncExitStack() as stack:
        open_ones = []
        for _ in order:
            connection = await stack.enter_async_context(office.store.engine.connect())
            await connection.begin()
            open_ones.append(connection)
        for number, connection in enumerate(open_ones):
            await connection.execute(_happened(office, number))
            await office.deliver()
        for number in order:
            ended = open_ones[number]
            await (ended.commit() if commits[number] else ended.rollback())
            await office.deliver()
            await office.deliver()

    wanted = {number for number in range(4) if commits[number]}
    mine = {d.event for d in await office.deliveries(webhook.id) if d.state == "delivered"}
    seen = {e["data"]["data"]["number"] for e in office.receiver.events if e["id"] in mine}
    assert seen == wanted
    assert len(mine) == len(wanted)
    async with office.store.begin() as tx:
        await subscriptions.delete(tx, webhook.id)


@pg_only
async def test_the_log_is_complete_only_below_those_who_still_write(office: Office, store: Store):
    tail = Tail()

    async def look() -> int:
        async with store.read() as tx:
            return await tail.look(tx)

    start = await look()
    late = await store.engine.connect()
    await late.begin()
    await late.execute(_happened(office, 1))
    async with store.begin() as tx:
        await tx.execute(_happened(office, 2))

    assert [await look() for _ in range(3)] == [start] * 3
    async with store.begin() as other:  # who begins later holds up nothing
        await late.commit()
        await late.close()
        await other.execute(_happened(office, 3))
        assert await look() == start + 2
    await look()
    assert await look() == start + 3


async def test_a_webhook_that_is_far_behind_catches_up(
    office: Office, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("referrals.store.webhooks.deliveries.CHUNK", 3)
    webhook = await office.subscribe("reward_granted")
    code = await office.books.publish("spring", "ada")
    for number in range(6):
        await office.books.convert(code, f"fay-{number}")
    await office.deliver()

    granted = [row.id for row in await office.log() if row.type == "reward_granted"]
    assert sorted(office.receiver.ids) == sorted(f"act_{number}" for number in granted)
    assert len(await office.deliveries(webhook.id)) == len(granted)
