"""Outages and refusals of a provider: what pauses the calls, and how long rewards wait.

REFERRALS_TEST_OUTAGE sets the minutes of the outage, REFERRALS_TEST_REWARDS the number of rewards that wait.
"""

import os
from datetime import timedelta
from itertools import pairwise

import pytest

from referrals.domain.failure_causes import FailureCause
from referrals.providers import (
    NotBookedError,
    OutcomeUnknownError,
    PermanentError,
    RetryableError,
    RetryAfterError,
    UnavailableError,
)
from referrals.providers.circuit_breaker import OPEN_DURATION
from referrals.store import schema
from tests.harness.deliveries import Deliveries
from tests.harness.fake_provider import FakeProvider
from tests.harness.store_harness import StoreHarness

SECOND, MINUTE, HOUR = timedelta(seconds=1), timedelta(minutes=1), timedelta(hours=1)
REWARDS = int(os.environ.get("REFERRALS_TEST_REWARDS", "20"))
OUTAGE = int(os.environ.get("REFERRALS_TEST_OUTAGE", "3")) * MINUTE


async def test_after_an_outage_queued_rewards_go_through_at_the_configured_pace(
    without_waits, harness: StoreHarness, vendor: FakeProvider
):
    deliveries = Deliveries(harness, vendor, per_second=2)
    vendor.down = UnavailableError("down")
    await deliveries.convert(REWARDS)
    recovery = harness.now() + OUTAGE
    await deliveries.start()
    await deliveries.run(until=recovery)
    waiting = await harness.all(schema.rewards)
    trials = sum(row.attempts for row in waiting)

    vendor.down = None
    await deliveries.run()

    rows = await harness.all(schema.rewards)
    assert {row.state for row in rows} == {"granted"}
    assert {row.failure_cause for row in waiting} <= {None, "outage"}
    assert trials <= OUTAGE / OPEN_DURATION + 10
    assert sum(row.attempts for row in rows) == trials + REWARDS
    booked = sorted(row.granted_at for row in rows)
    pace = SECOND / 2
    requests = REWARDS + trials  # a reward that was tried is looked up first
    assert booked[-1] - recovery <= requests * pace + OPEN_DURATION
    assert all(later - earlier >= pace for earlier, later in pairwise(booked))
    assert {row.error for row in rows} == {row.retry_at for row in rows} == {None}


async def test_an_accepted_request_closes_the_circuit(
    harness: StoreHarness, vendor: FakeProvider, deliveries: Deliveries
):
    vendor.down, vendor.prompt = OutcomeUnknownError("down"), False
    ids = await deliveries.convert(6)
    for id_ in ids:
        await deliveries.attempt(id_)
    assert deliveries.calls.pause_failure("http")
    harness.time += HOUR
    vendor.down = None

    await deliveries.attempt(ids[0])

    assert len(vendor.accepted) == 1
    assert not deliveries.calls.pause_failure("http")


@pytest.mark.parametrize(
    ("error", "is_outage"),
    [
        (UnavailableError("no connection"), True),
        (OutcomeUnknownError("502"), True),
        (RetryableError("423 non_active_member", FailureCause.CUSTOMER), False),
        (RetryAfterError("429", MINUTE), False),
        (PermanentError("http_402", "Plan used up", FailureCause.PLAN), False),
        (NotBookedError("refused", "No rule", FailureCause.RULE), False),
    ],
    ids=lambda value: type(value).__name__,
)
async def test_only_calls_without_a_usable_response_open_the_circuit(
    harness: StoreHarness, vendor: FakeProvider, deliveries: Deliveries, error, is_outage
):
    ids = await deliveries.convert(6)
    vendor.faults = [("before", error)] * 5

    delays = [await deliveries.attempt(id_) for id_ in ids]

    assert (deliveries.calls.pause_failure("http") is not None) == is_outage
    assert (delays[-1] is None) != is_outage
    assert len(vendor.bookings) == (0 if is_outage else 1)


async def test_an_attempt_that_the_circuit_refuses_is_not_counted(
    harness: StoreHarness, vendor: FakeProvider, deliveries: Deliveries
):
    vendor.down = UnavailableError("down")
    ids = await deliveries.convert(6)
    for id_ in ids:
        await deliveries.attempt(id_)

    delays = [await deliveries.attempt(ids[5]) for _ in range(3)]

    row = next(row for row in await harness.all(schema.rewards) if row.id == ids[5])
    assert (row.attempts, row.state, vendor.calls) == (0, "pending", 5)
    assert (row.error_code, row.failure_cause) == ("unavailable", "outage")
    assert row.retry_at == row.turn_at
    assert all(delay < OPEN_DURATION + SECOND for delay in delays)


async def test_the_delay_that_a_provider_asks_for_is_respected(
    harness: StoreHarness, vendor: FakeProvider, deliveries: Deliveries
):
    (id_,) = await deliveries.convert()
    vendor.faults = [("before", RetryAfterError("API limit reached", 3 * HOUR))]

    delay = await deliveries.attempt(id_)

    row = await deliveries.reward()
    assert delay == 3 * HOUR
    assert row.retry_at == harness.now() + 3 * HOUR
    assert (row.error_code, row.state) == ("retry_later", "granting")


async def test_delays_of_a_customer_that_is_refused_for_now_grow(
    harness: StoreHarness, vendor: FakeProvider, deliveries: Deliveries
):
    (id_,) = await deliveries.convert()
    vendor.faults = [("before", RetryableError("locked"))] * 12

    delays = [await deliveries.attempt(id_) for _ in range(12)]

    assert delays[0] <= 4 * SECOND
    assert 5 * MINUTE <= delays[-1] <= 10 * MINUTE


async def test_look_ups_of_an_accepted_request_become_rarer(
    harness: StoreHarness, vendor: FakeProvider, deliveries: Deliveries
):
    vendor.prompt = False
    (id_,) = await deliveries.convert()
    delays = []
    for _ in range(20):
        delays.append(await deliveries.attempt(id_))
        harness.time += delays[-1]

    assert delays[:4] == [30 * SECOND] * 4
    assert delays == sorted(delays)
    assert 5 * MINUTE < delays[-1] <= 10 * MINUTE


async def test_requests_beyond_the_usual_ones_slow_the_pace(
    without_waits, harness: StoreHarness, vendor: FakeProvider
):
    deliveries = Deliveries(harness, vendor, per_second=1)
    ids = await deliveries.convert(2)
    vendor.faults = [("after", OutcomeUnknownError("lost"))]
    await deliveries.attempt(ids[0])
    harness.time += 2 * MINUTE

    await deliveries.attempt(ids[0])  # looks the grant and its reversal up
    (queue,) = await harness.all(schema.provider_rate_limits)
    assert queue.next_call_at == harness.now() + 2 * SECOND
    harness.time += MINUTE
    vendor.extra_requests = 4
    await deliveries.attempt(ids[1])

    (queue,) = await harness.all(schema.provider_rate_limits)
    assert queue.next_call_at == harness.now() + 5 * SECOND
