"""Booking of grants as the engine does it, with retries; and sample grants."""

import asyncio
import random
from contextlib import suppress

from referrals.providers import Grant, OutcomeUnknownError, Provider, Receipt, RetryableError
from tests.providers.fake_vendor import FakeVendor

CUSTOMERS = ["cus_1", "a/b c%", "Zoë", "fay@example.com", "+4915112345678", "x?y#z"]
CUSTOMERS += [f"cus_{number}" for number in range(10, 40)]
MAX_ATTEMPTS = 200
CRASH_RATE = 0.05


async def book_with_retries(
    provider: Provider,
    grant: Grant,
    vendor: FakeVendor,
    *,
    reversal: bool = False,
    reference: str | None = None,
    crashes: random.Random | None = None,
) -> Receipt:
    """Grant or roll back until it is booked; look up the booking before each repeat of the request.

    After an unknown outcome, wait until the vendor has processed all requests. With `crashes`, some attempts are
    cancelled at a random moment.
    """
    receipt = None
    for attempt in range(MAX_ATTEMPTS):
        try:
            async with asyncio.timeout(_crash_delay(crashes)):
                if attempt:
                    receipt = await provider.look_up(grant, reversal=reversal) or receipt
                if receipt is None and reversal:
                    receipt = await provider.roll_back(grant, reference)
                elif receipt is None:
                    receipt = await provider.grant(grant)
            if receipt.booked:
                return receipt
        except RetryableError:
            pass
        except (OutcomeUnknownError, TimeoutError):
            await vendor.wait_until_idle()
        await asyncio.sleep(0.01)
    raise AssertionError(f"not booked after {MAX_ATTEMPTS} attempts: {grant}")


async def look_up_with_retries(provider: Provider, grant: Grant) -> Receipt | None:
    """Look up the booking of a grant; a busy machine may drop a connection."""
    for _ in range(MAX_ATTEMPTS):
        with suppress(RetryableError):
            return await provider.look_up(grant)
        await asyncio.sleep(0.01)
    raise AssertionError(f"not looked up after {MAX_ATTEMPTS} attempts: {grant}")


def _crash_delay(crashes: random.Random | None) -> float | None:
    """Return the seconds until the attempt is cancelled, or None for an attempt that may finish."""
    return crashes.uniform(0, 0.02) if crashes and crashes.random() < CRASH_RATE else None


def sample_grants(count: int, target: dict, *, type: str = "points", currency: str | None = None):
    rng = random.Random(count)
    return [
        Grant(
            key=f"spring/ref_{number}/friend",
            customer=rng.choice(CUSTOMERS),
            type=type,
            amount=rng.randint(1, 5000),
            currency=currency,
            reason="Spring referrals",
            target=target,
        )
        for number in range(count)
    ]
