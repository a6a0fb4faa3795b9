"""Events for the rules of Voucherify and Talon.One: taken once each, whatever happens to the requests."""

import asyncio
from dataclasses import replace

import pytest

from referrals.providers import (
    EventTracker,
    OutcomeUnknownError,
    PermanentError,
    RetryableError,
    TrackedEvent,
)
from tests.providers.booking import CUSTOMERS, MAX_ATTEMPTS
from tests.providers.fake_vendor import FAULTS, SILENT_FAULTS, Entry, FakeVendor
from tests.providers.fake_voucherify import PAGE

EVENT = TrackedEvent(
    "spring/thanks/0/ref_1/friend", "cus 1/ü", "friend_bought", {"amount": 80.5, "currency": "EUR"}
)
TRACKERS = ["voucherify_points_v2", "talon_one_event"]
pytestmark = pytest.mark.parametrize("case", TRACKERS, indirect=True)


async def track_with_retries(provider: EventTracker, event: TrackedEvent, vendor: FakeVendor):
    """Send an event as the engine does: look for it before it is repeated."""
    for attempt in range(MAX_ATTEMPTS):
        try:
            if not attempt or not await provider.has_tracked(event):
                await provider.track(event)
        except RetryableError:
            pass
        except OutcomeUnknownError:
            await vendor.wait_until_idle()
        else:
            return
        await asyncio.sleep(0.01)
    raise AssertionError(f"not sent after {MAX_ATTEMPTS} attempts: {event}")


async def test_event_is_taken_with_its_key_and_found_again(case):
    assert isinstance(case.provider, EventTracker)
    assert not await case.provider.has_tracked(EVENT)

    await case.provider.track(EVENT)

    assert await case.provider.has_tracked(EVENT)
    assert not await case.provider.has_tracked(replace(EVENT, key="another"))
    assert case.vendor.bookings == [Entry(EVENT.key, 1)]
    assert case.vendor.undocumented_requests == []


async def test_event_is_found_among_many_of_its_customer(case):
    for number in range(2 * PAGE + 1):
        await case.provider.track(replace(EVENT, key=f"k{number}"))

    assert await case.provider.has_tracked(replace(EVENT, key="k0"))


@pytest.mark.parametrize("fault", [fault for fault in FAULTS if fault not in SILENT_FAULTS])
async def test_faults_are_classified(case, fault):
    case.vendor.faults.append(fault)

    with pytest.raises((RetryableError, OutcomeUnknownError)) as raised:
        await case.provider.track(EVENT)

    assert isinstance(raised.value, OutcomeUnknownError) == (fault != "limit")
    assert await case.provider.has_tracked(EVENT) == fault.endswith("_done")


async def test_unknown_event_is_a_permanent_failure(case):
    with pytest.raises(PermanentError):
        await case.provider.track(replace(EVENT, name="unknown"))


async def test_events_are_taken_once_under_random_faults(case):
    case.vendor.fault_rate = 0.2
    case.vendor.conflict_rate = 0.2
    events = [
        replace(EVENT, key=f"k{number}", customer=CUSTOMERS[number % len(CUSTOMERS)])
        for number in range(40)
    ]

    await asyncio.gather(
        *(track_with_retries(case.impatient, event, case.vendor) for event in events)
    )
    await case.vendor.wait_until_idle()

    assert sorted(case.vendor.bookings) == sorted(Entry(event.key, 1) for event in events)
    assert case.vendor.undocumented_requests == []
