"""Each provider against its vendor with every fault at random: the vendor's books end exactly right."""

import asyncio
import random

from tests.providers.delivering import deliver
from tests.providers.vendors import FAULTS, Entry

GRANTS = 200
AT_ONCE = 40


async def test_under_every_fault_at_random_nothing_is_doubled_and_nothing_lost(case):
    """Every fourth grant is rolled back; callers die in the middle of it, too."""
    case.vendor.risk = 0.15
    case.vendor.slow = case.vendor.parallel = 0.3
    crashes = random.Random(2)
    gate = asyncio.Semaphore(AT_ONCE)
    expected = []

    async def settle(number, grant):
        async with gate:
            receipt = await deliver(case.hasty, grant, case.vendor, crashes=crashes)
            expected.append(Entry(grant.key, grant.amount))
            if number % 4 == 0:
                await deliver(
                    case.hasty,
                    grant,
                    case.vendor,
                    reversal=True,
                    reference=receipt.reference,
                    crashes=crashes,
                )
                expected.append(Entry(f"{grant.key}:roll_back", -grant.amount))

    grants = case.way.grants(GRANTS)
    async with asyncio.TaskGroup() as tasks:
        for number, grant in enumerate(grants):
            tasks.create_task(settle(number, grant))
    await case.vendor.quiet()

    assert sorted(case.vendor.books) == sorted(expected)
    assert case.vendor.undocumented == []
    assert set(FAULTS) <= set(case.vendor.met)
