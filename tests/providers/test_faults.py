"""Each provider against its fake vendor with random faults: the vendor's ledger ends exactly right."""

import asyncio
import random

from tests.providers.delivering import deliver
from tests.providers.vendors import FAULTS, Entry

GRANTS = 200
MAX_CONCURRENT = 40


async def test_random_faults_neither_duplicate_nor_lose_a_booking(case):
    """Roll back every fourth grant; callers crash in between."""
    case.vendor.risk = 0.15
    case.vendor.slow = case.vendor.parallel = 0.3
    crashes = random.Random(2)
    gate = asyncio.Semaphore(MAX_CONCURRENT)
    expected = []

    async def deliver_and_roll_back(number, grant):
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
            tasks.create_task(deliver_and_roll_back(number, grant))
    await case.vendor.quiet()

    assert sorted(case.vendor.books) == sorted(expected)
    assert case.vendor.undocumented == []
    assert set(FAULTS) <= set(case.vendor.met)
