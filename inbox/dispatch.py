"""Dispatch of stored events to workflows."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any
from weakref import WeakValueDictionary

from temporalio.client import Client, RPCError
from temporalio.exceptions import WorkflowAlreadyStartedError
from temporalio.service import RPCStatusCode

from referrals.store.schema import InboxEventRow
from referrals.temporal import targets
from referrals.temporal.targets import WorkflowTarget

MAX_UPDATES_IN_FLIGHT = 8
"""Concurrent updates of one workflow; the server refuses more than ten."""

TRANSIENT_ERRORS = {
    RPCStatusCode.ABORTED,
    RPCStatusCode.NOT_FOUND,
    RPCStatusCode.RESOURCE_EXHAUSTED,
    RPCStatusCode.INTERNAL,
    RPCStatusCode.UNKNOWN,
}
"""Responses of a server that is busy, or whose run ended just then. A retry may reach the run or start another.

The update's id stays the same, so that an update which was accepted nevertheless is not handled twice.
"""

RETRY_DELAY = timedelta(milliseconds=100)


class Dispatcher:
    """Starts and updates workflows. Callers set the timeout; an update that arrives late still happens once."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._slots: WeakValueDictionary[str, asyncio.Semaphore] = WeakValueDictionary()

    async def start(self, target: WorkflowTarget, delay: timedelta | None = None) -> bool:
        """Start the workflow. Return False if it runs already."""
        try:
            await _retry_transient(lambda: targets.start(self._client, target, delay))
        except WorkflowAlreadyStartedError:
            return False
        return True

    async def update(
        self, target: WorkflowTarget, update: Any, event: InboxEventRow, *args: str
    ) -> None:
        """Send the event's id to the workflow, and wait for its decision."""
        # A failed update is remembered by its id, so each attempt needs another.
        update_id = "-".join((event.id, *args, str(event.attempts)))
        slots = self._slots.setdefault(target.id, asyncio.Semaphore(MAX_UPDATES_IN_FLIGHT))
        async with slots:
            await _retry_transient(
                lambda: targets.update_with_start(
                    self._client, target, update, event.id, *args, update_id=update_id
                )
            )

    async def wake(self, target: WorkflowTarget, update: Any) -> None:
        """Send an update without arguments, once."""
        await targets.update_with_start(self._client, target, update)


async def _retry_transient(call: Callable[[], Awaitable[None]]) -> None:
    while True:
        try:
            return await call()
        except RPCError as error:
            if error.status not in TRANSIENT_ERRORS:
                raise
        except RuntimeError as error:  # a client raises it if it has never reached a server
            raise ConnectionError(str(error)) from error
        await asyncio.sleep(RETRY_DELAY.total_seconds())
