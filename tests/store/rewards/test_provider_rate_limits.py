"""Rate limits of providers, shared by all workers."""

import asyncio
from datetime import UTC, datetime, timedelta

from referrals.store import Store
from referrals.store.rewards import provider_rate_limits

NOW = datetime(2026, 3, 1, 9, tzinfo=UTC)
SECOND = timedelta(seconds=1)


async def reserve(
    store: Store, provider: str = "http", after: timedelta = timedelta(0)
) -> timedelta:
    async with store.begin() as tx:
        return await provider_rate_limits.reserve_call(tx, provider, 2, NOW + after, 5 * SECOND)


async def test_concurrent_calls_are_spread_over_time(store: Store):
    waits = await asyncio.gather(*(reserve(store) for _ in range(8)))

    assert sorted(waits) == [SECOND * number / 2 for number in range(8)]


async def test_call_beyond_the_longest_wait_is_not_reserved(store: Store):
    for _ in range(11):
        await reserve(store)

    assert [await reserve(store) for _ in range(3)] == [5.5 * SECOND] * 3


async def test_unused_capacity_does_not_accumulate(store: Store):
    await reserve(store)

    waits = [await reserve(store, after=60 * SECOND) for _ in range(3)]

    assert waits == [0 * SECOND, SECOND / 2, SECOND]


async def test_each_provider_has_its_own_rate_limit(store: Store):
    await reserve(store, "http")

    assert await reserve(store, "voucherify") == timedelta(0)
