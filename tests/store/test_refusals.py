"""Counts of refused requests."""

import asyncio
from datetime import UTC, datetime, timedelta

from referrals.store import Store, refusals
from referrals.store.db.pages import Cursor
from referrals.store.refusals import RefusalReason
from referrals.store.views import Refusal

NOON = datetime(2026, 3, 4, 12, tzinfo=UTC)
AMOUNT = RefusalReason("shop", "/de", "invalid-event", 422, "data.order.amount")
BALANCE = RefusalReason("shop", "", "insufficient-balance", 409, "")


async def add(store: Store, counts: dict[RefusalReason, int], now: datetime) -> None:
    async with store.begin() as tx:
        await refusals.add(tx, counts, now)


async def listed(store: Store) -> list[Refusal]:
    async with store.read() as tx:
        return (await refusals.list_refusals(tx, Cursor())).data


async def test_refusals_of_a_day_are_added_up_by_reason(store: Store):
    await add(store, {AMOUNT: 2, BALANCE: 1}, NOON)
    await add(store, {AMOUNT: 3}, NOON + timedelta(hours=1))
    await add(store, {AMOUNT: 4}, NOON + timedelta(days=1))

    found = [(row.day.day, row.source, row.field, row.count) for row in await listed(store)]
    assert found == [
        (5, "/de", "data.order.amount", 4),
        (4, "/de", "data.order.amount", 5),
        (4, None, None, 1),
    ]


async def test_counts_are_deleted_after_their_retention(store: Store):
    await add(store, {AMOUNT: 1}, NOON)
    await add(store, {AMOUNT: 2}, NOON + refusals.RETENTION)
    assert [row.count for row in await listed(store)] == [2, 1]

    await add(store, {AMOUNT: 3}, NOON + refusals.RETENTION + timedelta(days=1))
    assert [row.count for row in await listed(store)] == [3, 2]


async def test_processes_that_write_at_once_lose_no_count(store: Store):
    counts = {AMOUNT: 1, BALANCE: 1}
    orders = (counts, dict(reversed(counts.items())))
    await asyncio.gather(*(add(store, orders[n % 2], NOON) for n in range(10)))

    assert [row.count for row in await listed(store)] == [10, 10]


async def test_only_what_could_not_be_understood_hints_at_a_broken_integration(store: Store):
    await add(store, {AMOUNT: 1, BALANCE: 1}, NOON)

    async with store.read() as tx:
        found = await refusals.list_misunderstood(tx, NOON - timedelta(hours=1))
        later = await refusals.list_misunderstood(tx, NOON)
        assert await refusals.count_recent(tx, NOON + timedelta(days=6)) == 2
        assert await refusals.count_recent(tx, NOON + timedelta(days=7)) == 0

    assert [row.type for row in found] == ["invalid-event"]
    assert later == []
