"""The clock of a simulation: what is due, in order. Time passes only from one due time to the next."""

import heapq
import itertools
from collections.abc import Awaitable, Callable
from datetime import datetime

Action = Callable[[], Awaitable[None]]


class Agenda:
    """Actions by the time at which they are due; those of one time run in the order in which they were added."""

    def __init__(self, start: datetime) -> None:
        self._now = start
        self._actions: list[tuple[datetime, int, Action]] = []
        self._numbers = itertools.count()

    def now(self) -> datetime:
        return self._now

    def add(self, due: datetime, action: Action) -> None:
        heapq.heappush(self._actions, (max(due, self._now), next(self._numbers), action))

    def next_due(self) -> datetime | None:
        """Return the time of the next action; None if there is none."""
        return self._actions[0][0] if self._actions else None

    async def run_next(self) -> None:
        """Move the clock to the next action and run it."""
        self._now, _, action = heapq.heappop(self._actions)
        await action()

    def move_to(self, time: datetime) -> None:
        """Move the clock on, up to a time before which nothing is due."""
        self._now = max(self._now, time)
