"""Deliveries of provider rewards on the database alone, retried as Temporal would, in skipped time."""

import heapq
import itertools
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from temporalio.exceptions import ApplicationError

from activities.provider_calls import ProviderCalls
from activities.rewards import RewardActivities
from referrals.domain.states import RewardState
from referrals.store import schema
from referrals.store.flow.event_loop import decision
from referrals.store.inbox import inbox_events
from referrals.store.rewards import commands
from tests.harness.fake_provider import FakeProvider
from tests.harness.store_harness import StoreHarness

OPEN = {RewardState.PENDING, RewardState.GRANTING, RewardState.ROLLING_BACK}
CRASH_DELAY = timedelta(seconds=1)
"""Delay after an attempt whose worker died."""


class Deliveries:
    """The rewards of a harness at one provider, `http`."""

    def __init__(
        self, harness: StoreHarness, provider: FakeProvider, per_second: float = 1e9
    ) -> None:
        self.harness, self.provider = harness, provider
        provider.now = harness.now
        rates: Mapping[str, float] = {"http": per_second}
        self.calls = ProviderCalls(harness.store, {"http": provider}, rates, harness.now)
        self.activities = RewardActivities(harness.store, self.calls, harness.now)
        self._numbers = itertools.count()
        self._waiting: list[tuple[datetime, int, str]] = []
        self.attempts = 0

    async def convert(self, friends: int = 1) -> list[str]:
        """Let friends convert, and return the ids of their rewards."""
        code = await self.harness.publish("spring", "ada")
        for friend in range(friends):
            await self.harness.convert(code, f"friend {friend}")
        return [row.id for row in await self.harness.all(schema.rewards)]

    async def reward(self) -> Any:
        """Return the only reward."""
        (row,) = await self.harness.all(schema.rewards)
        return row

    async def command(self, kind: str, reward_id: str) -> None:
        """Have an operator `retry` or `void` the reward."""
        now = self.harness.now()
        async with self.harness.store.begin() as tx:
            found = await commands.find_reward(tx, reward_id)
            assert found
            command = commands.command_of(found, "By hand")
            row = await inbox_events.store_command(tx, f"reward_{kind}", "operator", now, **command)
        async with decision(self.harness.store) as tx:
            await commands.run_command(tx, row.id, now)

    async def deliver_all(self) -> None:
        """Deliver every open reward, until nothing is left to do."""
        await self.start()
        await self.run()

    async def grant_one(self) -> str:
        """Grant one reward and return the id of its referral."""
        await self.convert()
        await self.deliver_all()
        row = await self.reward()
        assert row.state == "granted"
        return str(row.referral_id)

    async def attempt(self, reward_id: str) -> timedelta | None:
        """Make one attempt; return the delay of the next one, or None if the activity is done."""
        self.attempts += 1
        try:
            await self.activities.deliver_reward(reward_id)
        except ApplicationError as error:
            assert error.next_retry_delay is not None
            return error.next_retry_delay
        except RuntimeError:
            return CRASH_DELAY
        return None

    async def start(self) -> None:
        """Start the delivery of every open reward."""
        for reward in await self.harness.all(schema.rewards):
            if reward.state in OPEN:
                self._push(reward.id, timedelta(0))

    async def run(self, until: datetime | None = None) -> None:
        """Make all attempts that are due before `until`, or until nothing is left, and let time pass."""
        while self._waiting and (until is None or self._waiting[0][0] <= until):
            at, _, reward_id = heapq.heappop(self._waiting)
            self.harness.time = max(self.harness.time, at)
            delay = await self.attempt(reward_id)
            if delay is not None:
                self._push(reward_id, delay)
        self.harness.time = max(self.harness.time, until or self.harness.time)

    def _push(self, reward_id: str, delay: timedelta) -> None:
        at = self.harness.now() + delay
        heapq.heappush(self._waiting, (at, next(self._numbers), reward_id))
