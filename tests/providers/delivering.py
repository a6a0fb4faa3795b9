"""What the engine does with a provider, in a few lines, and grants to do it with."""

import asyncio
import random

from referrals.providers import Grant, OutcomeUnknownError, Provider, Receipt, RetryableError
from tests.providers.vendors import Vendor

CUSTOMERS = ["cus_1", "a/b c%", "Zoë", "fay@example.com", "+4915112345678", "x?y#z"]
CUSTOMERS += [f"cus_{number}" for number in range(10, 40)]
ATTEMPTS = 200


async def deliver(
    provider: Provider,
    grant: Grant,
    vendor: Vendor,
    *,
    reversal: bool = False,
    reference: str | None = None,
    crashes: random.Random | None = None,
) -> Receipt:
    """Until it is settled: look up before every call but the first, and not before it can be seen."""
    receipt = None
    for attempt in range(ATTEMPTS):
        try:
            async with asyncio.timeout(_patience(crashes)):
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
            await vendor.quiet()
        await asyncio.sleep(0.01)
    raise AssertionError(f"not settled after {ATTEMPTS} attempts: {grant}")


def _patience(crashes: random.Random | None) -> float | None:
    """Mostly enough; now and then the caller dies in the middle of it."""
    return crashes.uniform(0, 0.02) if crashes and crashes.random() < 0.05 else None


def grants(count: int, target: dict, *, type: str = "points", currency: str | None = None):
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
