"""Webhook delivery: a loop in every worker process that sends the deliveries that are due.

Worker processes share the work through claims in the database. If a process dies during a delivery, its claim expires
and another process sends the delivery again, with the same id.
"""

import asyncio
import random
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from datetime import timedelta
from typing import Self

from referrals.clock import Clock, utc_now
from referrals.logging import Stopwatch, get_logger
from referrals.settings import Settings
from referrals.store import Store
from referrals.store.activity.cursor import ActivityLogCursor
from referrals.store.webhooks import deliveries
from referrals.store.webhooks.deliveries import DeliveryAttempt
from referrals.webhooks.poster import Poster

log = get_logger(__name__)

POLL_INTERVAL = timedelta(seconds=1)
"""Delay between polls, unless a delivery finishes earlier."""
MAX_CONCURRENT_DELIVERIES = 64
MAX_CONCURRENT_PER_GROUP = 8
"""Concurrent deliveries to one webhook, so that a slow endpoint does not delay the others."""
SHUTDOWN_TIMEOUT = timedelta(seconds=1)
"""Time for deliveries in flight when the process stops."""


class Deliverer:
    """Sends webhook deliveries.

    Args:
        source: `source` of the CloudEvents.
        secret: Signs events that are sent to a URL instead of a webhook.
        jitter: Returns numbers from 0 to 1 that spread the retries.
    """

    def __init__(
        self,
        store: Store,
        poster: Poster,
        *,
        source: str,
        secret: str | None = None,
        clock: Clock = utc_now,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self._store = store
        self._poster = poster
        self._source = source
        self._secret = secret
        self._clock = clock
        self._jitter = jitter
        self._cursor = ActivityLogCursor()
        self._in_flight: set[asyncio.Task[None]] = set()
        self._in_flight_by_group: Counter[str] = Counter()
        self._delivery_finished = asyncio.Event()

    @classmethod
    def of(cls, settings: Settings, store: Store, poster: Poster) -> Self:
        secret = settings.webhook_secret.get_secret_value() if settings.webhook_secret else None
        return cls(store, poster, source=settings.public_url, secret=secret)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Send deliveries until the block ends."""
        loop = asyncio.create_task(self._run())
        try:
            yield
        finally:
            loop.cancel()
            with suppress(asyncio.CancelledError):
                await loop
            if self._in_flight:
                await asyncio.wait(self._in_flight, timeout=SHUTDOWN_TIMEOUT.total_seconds())

    async def drain(self) -> None:
        """Deliver until nothing is due."""
        while True:
            self._delivery_finished.clear()
            more = await self.poll_once()
            if self._in_flight:
                await asyncio.wait(self._in_flight, return_when=asyncio.FIRST_COMPLETED)
            elif not (more or self._delivery_finished.is_set()):
                return

    async def poll_once(self) -> bool:
        """Create deliveries for new activity and start those that are due; return whether to poll again at once."""
        more = await self._fan_out()
        now = self._clock()
        async with self._store.read() as tx:
            groups = await deliveries.due_groups(tx, now)
        for group in sorted(groups, key=self._in_flight_by_group.__getitem__):
            await self._start_deliveries(group)
        return more

    async def _run(self) -> None:
        while True:
            self._delivery_finished.clear()
            try:
                if await self.poll_once():
                    continue
            except Exception:
                log.exception("polling for webhook deliveries failed; polling continues")
            with suppress(TimeoutError):
                await asyncio.wait_for(
                    self._delivery_finished.wait(), POLL_INTERVAL.total_seconds()
                )

    async def _fan_out(self) -> bool:
        async with self._store.read() as tx:
            complete = await self._cursor.advance(tx)
            if not await deliveries.has_new_activity(tx, complete):
                return False
        async with self._store.begin() as tx:
            return await deliveries.fan_out(tx, complete, self._clock())

    async def _start_deliveries(self, group: str) -> None:
        limit = min(
            MAX_CONCURRENT_PER_GROUP - self._in_flight_by_group[group],
            MAX_CONCURRENT_DELIVERIES - len(self._in_flight),
        )
        if limit <= 0:
            return
        async with self._store.begin() as tx:
            claimed = await deliveries.claim(
                tx, group, limit, self._clock(), source=self._source, secret=self._secret
            )
        for attempt in claimed:
            self._in_flight_by_group[group] += 1
            task = asyncio.create_task(self._deliver(group, attempt))
            self._in_flight.add(task)
            task.add_done_callback(self._in_flight.discard)

    async def _deliver(self, group: str, attempt: DeliveryAttempt) -> None:
        stopwatch = Stopwatch()
        try:
            response = await self._poster.post(
                attempt.url, attempt.message_id, attempt.event, attempt.secrets
            )
            async with self._store.begin() as tx:
                warning = await deliveries.record_response(
                    tx, attempt, response, self._clock(), self._jitter()
                )
            log.info(
                "webhook delivery",
                delivery_id=attempt.id,
                webhook_id=attempt.webhook_id,
                status=response.status,
                attempt=attempt.attempts + 1,
                duration_ms=stopwatch.milliseconds,
            )
            if warning:
                log.warning(
                    "webhook delivery failed",
                    delivery_id=attempt.id,
                    webhook_id=attempt.webhook_id,
                    reason=warning,
                )
        except Exception:
            log.exception(
                "storing the outcome of a webhook delivery failed; it is sent again",
                delivery_id=attempt.id,
            )
        finally:
            self._in_flight_by_group[group] -= 1
            self._delivery_finished.set()
