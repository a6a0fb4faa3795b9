"""Deliveries of provider rewards: crashes, time-outs, refusals and operators never pay or take twice."""

import asyncio
from datetime import timedelta

import pytest

from activities import provider_calls
from referrals.domain.failure_causes import FailureCause
from referrals.providers import (
    NotBookedError,
    OutcomeUnknownError,
    PermanentError,
    Receipt,
    RetryableError,
)
from referrals.store import schema
from referrals.store.reporting import failure_counts
from referrals.store.rewards import provider_rewards
from tests.harness.deliveries import Deliveries
from tests.harness.fake_provider import FakeProvider
from tests.harness.store_harness import StoreHarness

SECOND, HOUR = timedelta(seconds=1), timedelta(hours=1)
DIED = RuntimeError("The worker is gone: nobody notes what became of its call.")


async def test_a_roll_back_of_a_crashed_worker_waits_until_its_booking_is_visible(
    harness: StoreHarness, vendor: FakeProvider, deliveries: Deliveries
):
    referral = await deliveries.grant_one()
    vendor.visible_after = HOUR / 2
    vendor.faults = [("after", DIED)]
    await harness.roll_back(referral)
    await deliveries.start()
    calls = vendor.calls

    await deliveries.run(until=harness.now() + HOUR / 3)
    assert (await deliveries.reward()).state == "rolling_back"
    assert vendor.calls == calls + 1

    await deliveries.run()
    assert (await deliveries.reward()).state == "rolled_back"
    assert sorted(vendor.bookings.values()) == [-50, 50]
    assert vendor.calls == calls + 1


@pytest.mark.parametrize("direction", ["grant", "roll_back"])
async def test_a_booking_slower_than_its_timeout_is_not_called_again(
    harness: StoreHarness, vendor: FakeProvider, deliveries: Deliveries, monkeypatch, direction
):
    """Let the provider book after the call has been given up, and show that later still."""
    if direction == "grant":
        await deliveries.convert()
    else:
        await harness.roll_back(await deliveries.grant_one())
    monkeypatch.setattr(provider_calls, "CALL_TIMEOUT", timedelta(milliseconds=20))
    vendor.visible_after = HOUR / 2
    book, late = getattr(vendor, direction), []

    async def slow(*arguments) -> Receipt:
        late.append(arguments)
        await asyncio.Event().wait()
        raise AssertionError

    monkeypatch.setattr(vendor, direction, slow)
    await deliveries.start()
    await deliveries.run(until=harness.now() + SECOND)
    row = await deliveries.reward()
    assert row.error_code == "outcome_unknown"
    await book(*late[0])
    assert await deliveries.attempt(row.id) > HOUR / 2  # another run that takes over waits too

    await deliveries.run()

    assert (await deliveries.reward()).state in {"granted", "rolled_back"}
    assert len(late) == 1


async def test_a_superseded_attempt_calls_nobody(
    harness: StoreHarness, vendor: FakeProvider, deliveries: Deliveries
):
    """Begin an attempt, let another one overtake it, then go on."""
    (id_,) = await deliveries.convert()
    async with harness.store.begin() as tx:
        first = await provider_rewards.begin(tx, id_, harness.now())
        first = await provider_rewards.start_attempt(tx, first)
    vendor.faults = [("after", OutcomeUnknownError("lost"))]
    await deliveries.attempt(id_)
    assert vendor.calls == 1

    with pytest.raises(provider_rewards.Superseded):
        await deliveries.activities._call(vendor, first)

    assert vendor.calls == 1
    await deliveries.deliver_all()
    assert list(vendor.bookings.values()) == [50]


async def test_a_refused_roll_back_is_not_done(
    harness: StoreHarness, vendor: FakeProvider, deliveries: Deliveries
):
    referral = await deliveries.grant_one()
    refusal = NotBookedError("refused", "error: No such rule", FailureCause.RULE)
    vendor.faults = [("before", refusal)]
    await harness.roll_back(referral)
    await deliveries.deliver_all()

    row = await deliveries.reward()
    assert (row.state, row.error_code, row.failure_cause) == ("failed", "refused", "rule")
    await deliveries.command("retry", row.id)
    await deliveries.deliver_all()
    assert (await deliveries.reward()).state == "rolled_back"


async def test_a_completed_roll_back_has_no_error(
    harness: StoreHarness, vendor: FakeProvider, deliveries: Deliveries
):
    referral = await deliveries.grant_one()
    vendor.faults = [("before", RetryableError("busy")), ("after", OutcomeUnknownError("lost"))]
    await harness.roll_back(referral)

    await deliveries.deliver_all()

    row = await deliveries.reward()
    assert row.state == "rolled_back"
    assert (row.error, row.error_code, row.failure_cause, row.retry_at) == (None,) * 4


async def test_a_voided_reward_has_no_error(
    harness: StoreHarness, vendor: FakeProvider, deliveries: Deliveries
):
    (id_,) = await deliveries.convert()
    vendor.faults = [("before", PermanentError("http_402", "Unpaid", FailureCause.PLAN))]
    await deliveries.attempt(id_)
    assert (await deliveries.reward()).failure_cause == "plan"

    await deliveries.command("void", id_)

    row = await deliveries.reward()
    assert (row.state, row.error, row.failure_cause) == ("voided", None, None)
    (failed,) = await harness.all(schema.activity, type="reward_failed")
    assert failed.data["cause"] == "plan"


async def test_voiding_after_a_partial_debt_owes_the_reward_once(
    harness: StoreHarness, vendor: FakeProvider, deliveries: Deliveries
):
    """Let 20 of 50 points be spent, record them as owed, and then refuse the rest."""
    referral = await deliveries.grant_one()
    vendor.holds = 30
    await harness.roll_back(referral)
    (row,) = await harness.all(schema.rewards)
    await deliveries.attempt(row.id)
    vendor.faults = [("before", PermanentError("card_blocked", "The card is blocked."))]
    await deliveries.attempt(row.id)

    await deliveries.command("void", row.id)

    assert await harness.balance("friend 0", "owed") == -50


async def test_exhausted_attempts_keep_the_cause_of_the_last_error(
    harness: StoreHarness, vendor: FakeProvider, deliveries: Deliveries
):
    (id_,) = await deliveries.convert()
    vendor.faults = [("before", RetryableError("423 inactive", FailureCause.SETUP))]
    await deliveries.attempt(id_)

    await deliveries.activities.mark_reward_failed(id_, "attempts are used up")

    row = await deliveries.reward()
    assert (row.error_code, row.failure_cause) == ("attempts_spent", "setup")


async def test_failed_rewards_are_counted_by_cause(
    harness: StoreHarness, vendor: FakeProvider, deliveries: Deliveries
):
    causes = [FailureCause.PLAN, FailureCause.STOCK, FailureCause.STOCK]
    vendor.faults = [("before", PermanentError("x", "No.", cause)) for cause in causes]
    for id_ in await deliveries.convert(4):
        await deliveries.attempt(id_)

    async with harness.store.read() as tx:
        counted = await failure_counts.count_rewards(tx)

    assert [(row.cause, row.count) for row in counted] == [("stock", 2), ("plan", 1)]
    assert "codes" in counted[0].remedy
