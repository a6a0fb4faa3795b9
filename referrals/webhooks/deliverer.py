"""Webhooks out: a loop in every worker process that delivers what is due.

Several of them share the work by claims in the database. One that dies in a delivery leaves its claim to run out,
and the delivery is made again, under the same id.
"""

import asyncio
import logging
import random
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import Self

from referrals.clock import Clock, utc_now
from referrals.settings import Settings
from referrals.store import Store
from referrals.store.activity.cursor import Tail
from referrals.store.webhooks import deliveries
from referrals.store.webhooks.deliveries import Outgoing
from referrals.webhooks.poster import Poster

log = logging.getLogger(__name__)

POLL = 1.0
"""Seconds between looks, when nothing has come back meanwhile."""
AT_ONCE = 64
AT_ONCE_IN_A_LANE = 8
"""To one webhook: a slow one does not hold up the others."""
GRACE = 1.0
"""Seconds for what is in flight when the process is asked to stop."""


class Deliverer:
    """
    Args:
        source: Of the CloudEvents.
        secret: Signs what goes to no webhook.
        chance: From 0 to 1, spreads the attempts.
    """

    def __init__(
        self,
        store: Store,
        poster: Poster,
        *,
        source: str,
        secret: str | None = None,
        clock: Clock = utc_now,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self._store = store
        self._poster = poster
        self._source = source
        self._secret = secret
        self._clock = clock
        self._chance = chance
        self._tail = Tail()
        self._in_flight: set[asyncio.Task[None]] = set()
        self._lanes: Counter[str] = Counter()
        self._landed = asyncio.Event()

    @classmethod
    def of(cls, settings: Settings, store: Store, poster: Poster) -> Self:
        secret = settings.webhook_secret.get_secret_value() if settings.webhook_secret else None
        return cls(store, poster, source=settings.public_url, secret=secret)

    @asynccontextmanager
    async def at_work(self) -> AsyncIterator[None]:
        """Delivers as long as the block lasts."""
        work = asyncio.create_task(self._run())
        try:
            yield
        finally:
            work.cancel()
            with suppress(asyncio.CancelledError):
                await work
            if self._in_flight:
                await asyncio.wait(self._in_flight, timeout=GRACE)

    async def drain(self) -> None:
        """Deliver until nothing more is due."""
        while True:
            self._landed.clear()
            more = await self.look()
            if self._in_flight:
                await asyncio.wait(self._in_flight, return_when=asyncio.FIRST_COMPLETED)
            elif not (more or self._landed.is_set()):
                return

    async def look(self) -> bool:
        """Make deliveries of what has happened, and start those that are due. Whether there is more to be made."""
        more = await self._fan_out()
        now = self._clock()
        async with self._store.read() as tx:
            lanes = await deliveries.due_lanes(tx, now)
        for lane in sorted(lanes, key=self._lanes.__getitem__):
            await self._start(lane)
        return more

    async def _run(self) -> None:
        while True:
            self._landed.clear()
            try:
                if await self.look():
                    continue
            except Exception:
                log.exception("Delivering webhooks failed; it goes on")
            with suppress(TimeoutError):
                await asyncio.wait_for(self._landed.wait(), POLL)

    async def _fan_out(self) -> bool:
        async with self._store.read() as tx:
            complete = await self._tail.look(tx)
            if not await deliveries.is_behind(tx, complete):
                return False
        async with self._store.begin() as tx:
            return await deliveries.fan_out(tx, complete, self._clock())

    async def _start(self, lane: str) -> None:
        room = min(AT_ONCE_IN_A_LANE - self._lanes[lane], AT_ONCE - len(self._in_flight))
        if room <= 0:
            return
        async with self._store.begin() as tx:
            claimed = await deliveries.claim(
                tx, lane, room, self._clock(), source=self._source, secret=self._secret
            )
        for outgoing in claimed:
            self._lanes[lane] += 1
            task = asyncio.create_task(self._deliver(lane, outgoing))
            self._in_flight.add(task)
            task.add_done_callback(self._in_flight.discard)

    async def _deliver(self, lane: str, sent: Outgoing) -> None:
        try:
            answer = await self._poster.post(sent.url, sent.message, sent.event, sent.secrets)
            async with self._store.begin() as tx:
                warning = await deliveries.settle(tx, sent, answer, self._clock(), self._chance())
            if warning:
                log.warning("%s", warning)
        except Exception:
            log.exception("The webhook delivery %s could not be noted; it is made again", sent.id)
        finally:
            self._lanes[lane] -= 1
            self._landed.set()
