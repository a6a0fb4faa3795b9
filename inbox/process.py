"""Processing of stored events: each once, in order for each customer; a failure leaves the event queued."""

import asyncio
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from itertools import groupby
from typing import Any

from inbox.failures import is_outage, root_cause
from inbox.handlers import EventHandlers, FollowUp
from referrals.clock import Clock
from referrals.errors import ReferralsError, RefusedError
from referrals.logging import Stopwatch, get_logger
from referrals.store import Store
from referrals.store.db.columns import required
from referrals.store.inbox import inbox_events
from referrals.store.schema import InboxEventRow

ABANDONED_AFTER = timedelta(minutes=1)
"""Age at which an unprocessed event counts as abandoned by an API process that crashed."""
OUTAGE_RETRY_DELAY = timedelta(seconds=5)
DRAIN_INTERVAL = timedelta(seconds=1)
MAX_BATCH_SIZE = 500

log = get_logger(__name__)


@dataclass(frozen=True)
class EventResponse:
    """Response to an event or command: 200 with the decision, or 202 if it is queued."""

    status: int
    body: dict[str, Any]

    @property
    def is_processed(self) -> bool:
        return self.status == 200  # noqa: PLR2004


class EventQueuedError(ReferralsError):
    """The event cannot be processed now and stays queued."""


class EventProcessor:
    """Processes stored events with their handlers.

    Args:
        response_timeout: How long an event may take before it is queued.
    """

    def __init__(
        self, store: Store, handlers: EventHandlers, response_timeout: timedelta, clock: Clock
    ) -> None:
        self._store = store
        self._handlers = handlers
        self._response_timeout = response_timeout.total_seconds()
        self._clock = clock

    async def drain_forever(self) -> None:
        """Process queued events until cancelled."""
        while True:
            try:
                await self.drain()
            except Exception:
                log.exception("draining the inbox failed; retrying")
            await asyncio.sleep(DRAIN_INTERVAL.total_seconds())

    async def drain(self) -> int:
        """Process the queued events that are due, in order for each customer. Return how many were processed."""
        now = self._clock()
        async with self._store.read() as tx:
            queued = await inbox_events.find_due(tx, now, now - ABANDONED_AFTER, MAX_BATCH_SIZE)
        queued.sort(key=lambda event: (_ordering_key(event), event.id))
        count = 0
        for _, events in groupby(queued, key=_ordering_key):
            count += await self._drain_in_order(events)
        return count

    async def _drain_in_order(self, events: Iterable[InboxEventRow]) -> int:
        """Process one customer's events up to the first that stays queued."""
        count = 0
        for event in events:
            try:
                response = await self.process(event)
            except RefusedError:
                continue  # marked as failed
            if not response.is_processed:
                break
            count += 1
        return count

    async def process(
        self,
        event: InboxEventRow,
        earlier: Sequence[InboxEventRow] | None = None,
        follow_up: FollowUp | None = None,
    ) -> EventResponse:
        """Process an event after the `earlier` queued events of its customer.

        Raises:
            RefusedError: The decision refuses the event.
        """
        if event.state == "processed":
            return EventResponse(200, required(event.response))
        deadline = asyncio.get_running_loop().time() + self._response_timeout
        if earlier is None:
            async with self._store.read() as tx:
                earlier = await inbox_events.find_earlier_queued(tx, event)
        try:
            for other in earlier:
                with suppress(RefusedError):
                    await self._attempt(other, deadline)
            return EventResponse(200, await self._attempt(event, deadline, follow_up))
        except EventQueuedError:
            async with self._store.begin() as tx:
                await inbox_events.queue(tx, event.id, self._clock() + OUTAGE_RETRY_DELAY)
            body = {
                "event": event.external_id,
                "state": "queued",
                "warnings": event.warnings,
            }
            return EventResponse(202, body)

    async def _attempt(
        self, event: InboxEventRow, deadline: float, follow_up: FollowUp | None = None
    ) -> dict[str, Any]:
        """Handle the event and return its response. Raises RefusedError or EventQueuedError after it has recorded the failure."""
        stopwatch = Stopwatch()
        try:
            async with asyncio.timeout_at(deadline):
                await self._handlers.handle(event, follow_up)
            async with self._store.autocommit() as tx:
                response = await inbox_events.mark_processed(tx, event.id)
        except RefusedError as error:
            async with self._store.begin() as tx:
                await inbox_events.mark_failed(tx, event.id, str(error))
            log.info("event refused", event_id=event.id, type=event.type)
            raise
        except Exception as error:
            await self._record_failure(event, error)
            raise EventQueuedError(str(error)) from error
        _log_decision(event, response, stopwatch)
        return response

    async def _record_failure(self, event: InboxEventRow, error: Exception) -> None:
        """Schedule a retry. Only a failure that is no outage counts against the event's attempts."""
        now = self._clock()
        async with self._store.begin() as tx:
            if is_outage(error):
                retry_at = now + OUTAGE_RETRY_DELAY
                await inbox_events.postpone(tx, event.id, f"Temporal: {error!r}", retry_at)
                log.warning("event queued", event_id=event.id, error=type(error).__name__)
            else:
                log.warning("event failed; retrying", event_id=event.id, exc_info=error)
                await inbox_events.record_failed_attempt(tx, event.id, repr(root_cause(error)), now)


def _log_decision(event: InboxEventRow, response: dict[str, Any], stopwatch: Stopwatch) -> None:
    log.info(
        "decision",
        event_id=event.id,
        type=event.type,
        campaign_id=event.campaign_id,
        referral_id=response.get("referral"),
        decision=response.get("decision"),
        reason_code=(response.get("reason") or {}).get("code"),
        duration_ms=stopwatch.milliseconds,
    )


def _ordering_key(event: InboxEventRow) -> str:
    """Return the key within which events are processed in order: the customer, or the event if it has none."""
    return str(event.customer_id or event.id)
