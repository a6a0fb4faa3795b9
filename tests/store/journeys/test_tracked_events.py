"""Events that journeys send to providers: stored with the decision, sent once, and retried after a failure."""

from datetime import timedelta
from typing import Any

import pytest
from temporalio.exceptions import ApplicationError

from activities import provider_calls
from activities.provider_calls import ProviderCalls
from activities.tracking import TrackingActivities
from referrals.domain.failure_causes import FailureCause
from referrals.errors import NotPossibleError, UnknownTrackedEventError
from referrals.providers import (
    OutcomeUnknownError,
    PermanentError,
    RetryableError,
    TrackedEvent,
    UnavailableError,
)
from referrals.store import Store, schema
from referrals.store.db.pages import Cursor
from referrals.store.journeys import advocate_resumption, tracked_events
from referrals.store.reporting import failure_counts, tracked_event_lists
from referrals.store.reporting.summary import summarise
from tests.harness.campaigns import campaign
from tests.harness.fake_provider import FakeTracker
from tests.harness.store_harness import StoreHarness

TRACK = {
    "provider": "voucherify",
    "event": "friend_bought",
    "to": "advocate",
    "attributes": {
        "amount": "order.amount",
        "currency": "order.currency",
        "tier": "milestone.name",
        "locale": "friend.locale",
    },
}
JOURNEY = {"name": "earn", "on": "referral_converted", "steps": [{"track": TRACK}]}
DIED = RuntimeError("The worker is gone.")


@pytest.fixture
def vendor() -> FakeTracker:
    return FakeTracker()


@pytest.fixture
async def harness(store: Store) -> StoreHarness:
    opened = StoreHarness(store, repeat=True)
    await opened.apply(campaign(journeys=[JOURNEY]))
    await opened.convert(await opened.publish("spring", "ada"), "fay")
    return opened


@pytest.fixture
def activities(
    harness: StoreHarness, vendor: FakeTracker, monkeypatch: pytest.MonkeyPatch
) -> TrackingActivities:
    monkeypatch.setattr(provider_calls, "MAX_TURN_WAIT", timedelta(0))
    calls = ProviderCalls(harness.store, {"voucherify": vendor}, {"voucherify": 1e9}, harness.now)
    return TrackingActivities(harness.store, calls, harness.now)


async def event(harness: StoreHarness) -> Any:
    (row,) = await harness.all(schema.tracked_events)
    return row


async def send(harness: StoreHarness, activities: TrackingActivities, times: int = 10) -> None:
    """Send the event, retried as Temporal would."""
    row = await event(harness)
    for _ in range(times):
        try:
            await activities.track_event(row.id)
        except ApplicationError as error:
            harness.time += error.next_retry_delay or timedelta(0)
        except RuntimeError:
            pass
        else:
            return


async def test_an_event_is_sent_once_with_its_attributes_and_without_contact_details(
    harness: StoreHarness, vendor: FakeTracker, activities: TrackingActivities
):
    for _ in range(2):
        await send(harness, activities)

    row = await event(harness)
    attributes = {"amount": 100.0, "currency": "EUR"}
    assert vendor.tracked == [TrackedEvent(row.key, "ada", "friend_bought", attributes)]
    assert (row.state, row.attempts, row.error) == ("sent", 1, None)


@pytest.mark.parametrize(
    "faults",
    [
        [("after", OutcomeUnknownError("lost"))],
        [("after", DIED)],
        [("before", DIED)],
        [("before", UnavailableError("down")), ("before", RetryableError("locked"))],
        [("before", OutcomeUnknownError("502")), ("after", OutcomeUnknownError("502"))],
    ],
)
async def test_an_event_is_sent_once_despite_lost_responses_and_crashes(
    harness: StoreHarness, vendor: FakeTracker, activities: TrackingActivities, faults
):
    vendor.faults = faults

    await send(harness, activities)

    assert len(vendor.tracked) == 1
    assert (await event(harness)).state == "sent"


async def test_the_outcome_of_a_crashed_worker_is_looked_up_only_when_it_is_visible(
    harness: StoreHarness, vendor: FakeTracker, activities: TrackingActivities
):
    vendor.visible_after, vendor.faults = timedelta(hours=1), [("after", DIED)]
    await send(harness, activities, times=1)

    with pytest.raises(ApplicationError) as waits:
        await activities.track_event((await event(harness)).id)

    assert waits.value.next_retry_delay > timedelta(hours=1)
    assert vendor.calls == 1


async def test_a_superseded_attempt_calls_nobody(
    harness: StoreHarness, vendor: FakeTracker, activities: TrackingActivities
):
    async with harness.store.begin() as tx:
        first = await tracked_events.begin(tx, (await event(harness)).id, harness.now())
        first = await tracked_events.start_attempt(tx, first)
    await send(harness, activities)

    with pytest.raises(tracked_events.Superseded):
        await activities._call(vendor, first)

    assert vendor.calls == 1


async def test_failed_events_are_listed_counted_and_retried_by_cause(
    harness: StoreHarness, vendor: FakeTracker, activities: TrackingActivities
):
    vendor.faults = [("before", PermanentError("http_402", "Unpaid.", FailureCause.PLAN))]
    await send(harness, activities)
    row = await event(harness)
    async with harness.store.read() as tx:
        page = await tracked_event_lists.list_tracked_events(
            tx, "spring", Cursor(10, None), state="failed", customer="ada", cause="plan"
        )
        counted = await failure_counts.count_tracked_events(tx)
        attention = (await summarise(tx, "spring", harness.now())).attention
    assert [(shown.id, shown.error) for shown in page.data] == [(row.id, "http_402: Unpaid.")]
    assert [(count.cause, count.count) for count in counted] == [("plan", 1)]
    assert attention.tracked_events_failed == 1

    assert await retry(harness, FailureCause.STOCK) == 0
    assert await retry(harness, FailureCause.PLAN) == 1
    assert await retry(harness, None) == 0

    row = await event(harness)
    assert (row.state, row.sender_id, row.failure_cause) == ("pending", row.advocate_id, None)
    (command,) = await harness.all(schema.inbox_events, type=advocate_resumption.RESUME_COMMAND)
    assert (command.campaign_id, command.data) == ("spring", {"advocate": row.advocate_id})
    await send(harness, activities)
    assert len(vendor.tracked) == 1


async def retry(harness: StoreHarness, cause: FailureCause | None) -> int:
    async with harness.store.begin() as tx:
        which = tracked_events.of_campaign("spring", cause)
        return await tracked_events.retry(tx, which, "operator", harness.now())


async def test_only_a_failed_event_can_be_dropped_or_retried(
    harness: StoreHarness, vendor: FakeTracker, activities: TrackingActivities
):
    row = await event(harness)
    now = harness.now()
    async with harness.store.begin() as tx:
        with pytest.raises(NotPossibleError, match="is pending, not failed"):
            await tracked_events.drop(tx, row.id, now)
        with pytest.raises(NotPossibleError):
            await tracked_events.retry_one(tx, row.id, "operator", now)
        with pytest.raises(UnknownTrackedEventError):
            await tracked_events.drop(tx, "trk_0", now)
    await activities.mark_tracking_failed(row.id, "attempts are used up")
    row = await event(harness)
    assert (row.state, row.error_code, row.failure_cause) == ("failed", "attempts_spent", "outage")

    async with harness.store.begin() as tx:
        await tracked_events.drop(tx, row.id, now)
    await send(harness, activities)

    assert ((await event(harness)).state, vendor.calls) == ("dropped", 0)
