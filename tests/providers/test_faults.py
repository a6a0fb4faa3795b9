"""Random faults of each fake vendor: its ledger must end with every booking exactly once."""

import asyncio
import random

from tests.providers.booking import book_with_retries
from tests.providers.fake_vendor import FAULTS, Entry

GRANTS = 120
MAX_CONCURRENT = 40


async def test_random_faults_neither_duplicate_nor_lose_a_booking(case):
    """Roll back every fourth grant; callers crash in between."""
    case.vendor.fault_rate = 0.2
    case.vendor.accept_first_rate = case.vendor.conflict_rate = 0.3
    crashes = random.Random(2)
    gate = asyncio.Semaphore(MAX_CONCURRENT)
    expected = []

    async def grant_and_roll_back(number, grant):
        async with gate:
            receipt = await book_with_retries(case.impatient, grant, case.vendor, crashes=crashes)
            expected.append(Entry(grant.key, grant.amount))
            if number % 4 == 0:
                await book_with_retries(
                    case.impatient,
                    grant,
                    case.vendor,
                    reversal=True,
                    reference=receipt.reference,
                    crashes=crashes,
                )
                expected.append(Entry(f"{grant.key}:roll_back", -grant.amount))

    grants = case.kind.grants(GRANTS)
    async with asyncio.TaskGroup() as tasks:
        for number, grant in enumerate(grants):
            tasks.create_task(grant_and_roll_back(number, grant))
    await case.vendor.wait_until_idle()

    assert sorted(case.vendor.bookings) == sorted(expected)
    assert case.vendor.undocumented_requests == []
    assert set(FAULTS) <= set(case.vendor.triggered_faults)
