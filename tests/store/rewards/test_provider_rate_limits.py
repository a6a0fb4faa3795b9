"""How often a provider is called, by all workers together."""

import asyncio
from datetime import UTC, datetime, timedelta

from referrals.store import Store
from referrals.store.rewards import provider_rate_limits

NOW = datetime(2026, 3, 1, 9, tzinfo=UTC)
SECOND = timedelta(seconds=1)


async def turn(store: Store, provider: str = "http", after: timedelta = timedelta(0)) -> timedelta:
    async with store.begin() as tx:
        return await provider_rate_limits.reserve_call(tx, provider, 2, NOW + after, 5 * SECOND)


async def test_who_comes_at_once_is_spread_over_time(store: Store):
    waits = await asyncio.gather(*(turn(store) for _ in range(8)))

    assert sorted(waits) == [SECOND * number / 2 for number in range(8)]


async def test_who_is_not_patient_enough_takes_no_turn(store: Store):
    for _ in range(11):
        await turn(store)

    assert [await turn(store) for _ in range(3)] == [5.5 * SECOND] * 3


async def test_time_that_nobody_used_is_not_saved_up(store: Store):
    await turn(store)

    waits = [await turn(store, after=60 * SECOND) for _ in range(3)]

    assert waits == [0 * SECOND, SECOND / 2, SECOND]


async def test_each_provider_has_its_own_pace(store: Store):
    await turn(store, "http")

    assert await turn(store, "voucherify") == timedelta(0)
