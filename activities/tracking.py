"""Send the events of journeys to providers, whose own rules earn from them."""

from dataclasses import dataclass

from temporalio import activity

from activities.provider_calls import (
    ProviderCalls,
    retry_delay,
    retry_later,
    with_timeout,
)
from referrals.clock import Clock
from referrals.domain.call_queue import Turn
from referrals.providers import (
    EventTracker,
    OutcomeUnknownError,
    PermanentError,
    Provider,
    RetryableError,
    TrackedEvent,
    UnavailableError,
)
from referrals.store import Store
from referrals.store.journeys import tracked_events
from referrals.store.journeys.tracked_events import TrackingTask


@dataclass
class TrackingActivities:
    store: Store
    calls: ProviderCalls
    clock: Clock

    @activity.defn(name="track_event")
    async def track_event(self, event_id: str) -> None:
        """Send the event once: every attempt after the first looks for it at the provider before it sends it again.

        Raises:
            ApplicationError: temporary failure, with the delay of the next attempt.
        """
        if started := await self.calls.start_attempt(tracked_events, event_id):
            await self._attempt(*started)

    @activity.defn(name="mark_tracking_failed")
    async def mark_tracking_failed(self, event_id: str, error: str) -> None:
        """Mark the event as failed, because all attempts are used up."""
        async with self.store.begin() as tx:
            await tracked_events.mark_exhausted(tx, event_id, error, self.clock())

    async def _attempt(self, task: TrackingTask, turn: Turn) -> None:
        name, event_id = task.row.provider, task.row.id
        try:
            await self.calls.run(name, turn, lambda provider: self._call(provider, task))
        except PermanentError as error:
            async with self.store.begin() as tx:
                await tracked_events.mark_failed(tx, event_id, error.failure, self.clock())
        except (RetryableError, OutcomeUnknownError) as error:
            delay = retry_delay(error, task.row.attempts, self.calls.get(name))
            async with self.store.begin() as tx:
                await tracked_events.record_error(tx, event_id, error.failure, self.clock() + delay)
            raise retry_later(str(error), delay, type(error).__name__) from error
        else:
            async with self.store.begin() as tx:
                await tracked_events.mark_sent(tx, event_id, self.clock())

    async def _call(self, provider: Provider, task: TrackingTask) -> None:
        assert isinstance(provider, EventTracker)  # the campaign names only those
        row = task.row
        event = TrackedEvent(row.key, task.customer, row.event, row.attributes)
        if task.repeated and await with_timeout(provider.has_tracked(event), UnavailableError):
            return
        await self.calls.send(
            provider,
            lambda: provider.track(event),
            lambda tx, now, until: tracked_events.mark_call_started(tx, task, now, until),
            lambda tx, until: tracked_events.mark_outcome_unknown(tx, row.id, until),
        )
