"""The inbox at work: each stored event is handled once, in order for each customer, and answered or kept for later."""

import asyncio
import logging
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from itertools import groupby
from typing import Any

from sqlalchemy import Row
from temporalio.client import RPCError, WorkflowUpdateRPCTimeoutOrCancelledError
from temporalio.service import RPCStatusCode

from inbox.handlers import Handlers, Rest
from referrals.clock import Clock
from referrals.errors import ReferralsError, RefusedError
from referrals.store import Store
from referrals.store.inbox import inbox_events

CUT_OFF = timedelta(minutes=1)
"""An event that nobody answered for so long was cut off, by a crash of its API process."""
RETRY = timedelta(seconds=5)
DRAIN = 1.0
"""Seconds between looks into the inbox."""
BATCH = 500

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Answered:
    """200 with the answer, or 202: kept, and processed later."""

    status: int
    body: dict[str, Any]


class TemporalUnavailableError(ReferralsError):
    """Temporal or its workers do not respond."""


class Inbox:
    """`patience` is how long an event waits for Temporal before it is queued."""

    def __init__(self, store: Store, handlers: Handlers, patience: timedelta, clock: Clock) -> None:
        self._store = store
        self._handlers = handlers
        self._patience = patience.total_seconds()
        self._clock = clock

    async def drain_forever(self) -> None:
        """Process what is queued, for as long as the process lives."""
        while True:
            try:
                await self.drain()
            except Exception:
                log.exception("Draining the inbox failed; it goes on")
            await asyncio.sleep(DRAIN)

    async def drain(self) -> int:
        """Process waiting events once, in order for each customer. Returns how many were processed."""
        now = self._clock()
        async with self._store.read() as tx:
            waiting = await inbox_events.waiting(tx, now, now - CUT_OFF, BATCH)
        waiting.sort(key=_turn)
        done = 0
        for _, rows in groupby(waiting, key=lambda row: _turn(row)[0]):
            for row in rows:
                try:
                    answered = await self.answer(row)
                except RefusedError:
                    continue  # marked as failed
                if answered.status != 200:  # noqa: PLR2004
                    break
                done += 1
        return done

    async def answer(
        self,
        row: Row[Any],
        earlier: Sequence[Row[Any]] | None = None,
        rest: Rest | None = None,
    ) -> Answered:
        """Have the event handled, or the `rest` of it, after the `earlier` ones of its customer that still wait."""
        if row.state == "processed":
            return Answered(200, row.answer)
        until = asyncio.get_running_loop().time() + self._patience
        if earlier is None:
            async with self._store.read() as tx:
                earlier = await inbox_events.queued_before(tx, row)
        try:
            for event in earlier:
                with suppress(RefusedError):
                    await self._attempt(event, until)
            return Answered(200, await self._attempt(row, until, rest))
        except TemporalUnavailableError:
            async with self._store.begin() as tx:
                await inbox_events.wait(tx, row.id, self._clock() + RETRY)
            return Answered(202, {"event": row.external_id, "state": "queued"})

    async def _attempt(
        self, row: Row[Any], until: float, rest: Rest | None = None
    ) -> dict[str, Any]:
        """The answer. Whatever goes wrong, the event is kept: to be tried again, or parked in sight."""
        try:
            async with asyncio.timeout_at(until):
                await self._handlers.handle(row, rest)
            async with self._store.alone() as tx:
                return await inbox_events.close(tx, row.id)
        except RefusedError as error:
            async with self._store.begin() as tx:
                await inbox_events.park(tx, row.id, str(error))
            raise
        except Exception as error:
            now = self._clock()
            async with self._store.begin() as tx:
                if _is_outage(error):
                    await inbox_events.postpone(tx, row.id, f"Temporal: {error!r}", now + RETRY)
                else:
                    log.warning("The event %s failed; it is tried again", row.id, exc_info=True)
                    await inbox_events.attempt_failed(tx, row.id, repr(_root(error)), now)
            raise TemporalUnavailableError(str(error)) from error


def _root(error: BaseException) -> BaseException:
    return _root(error.__cause__) if error.__cause__ else error


def _turn(row: Row[Any]) -> tuple[str, str]:
    """A customer's events are processed one after another; one that is about no customer waits for none."""
    return row.customer_id or row.id, row.id


def _is_outage(error: Exception) -> bool:
    """Nothing is wrong with the event: Temporal, or all its workers, are away or busy."""
    if isinstance(error, RPCError):
        return error.status in OUTAGE
    return isinstance(
        error, TimeoutError | ConnectionError | WorkflowUpdateRPCTimeoutOrCancelledError
    )


OUTAGE = {
    RPCStatusCode.UNAVAILABLE,
    RPCStatusCode.DEADLINE_EXCEEDED,
    RPCStatusCode.CANCELLED,
    RPCStatusCode.RESOURCE_EXHAUSTED,
}
