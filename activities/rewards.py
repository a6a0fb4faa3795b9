"""Rewards at other providers: one activity takes one reward one step on, grant or roll-back, exactly once."""

import random
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta

from temporalio import activity
from temporalio.exceptions import ApplicationError, ApplicationErrorCategory

from activities.circuit import Circuit
from referrals.clock import Clock
from referrals.domain.states import RewardState
from referrals.providers import (
    Ambiguous,
    Grant,
    Permanent,
    Provider,
    Receipt,
    Retryable,
    RetryAfter,
)
from referrals.store import Store, grants
from referrals.store.grants import Work
from referrals.store.settlement import describe

FIRST_PAUSE = timedelta(seconds=2)
LONGEST_PAUSE = timedelta(minutes=10)
POLL = timedelta(seconds=30)
"""Between looks at what a provider has taken but not settled."""


Booking = Callable[[], Awaitable[Receipt]]
LookUp = Callable[[], Awaitable[Receipt | None]]


@dataclass
class RewardActivities:
    """`providers` are those set up on this deployment, by name."""

    store: Store
    providers: Mapping[str, Provider]
    clock: Clock
    circuits: dict[str, Circuit] = field(default_factory=dict)

    @activity.defn
    async def settle_reward(self, reward_id: str) -> None:
        """Grant the reward, or take it back, as its row says; nothing where neither is due.

        On every attempt after the first the provider is asked whether it has booked the reward before it is called
        again. Raises ApplicationError to be tried again later; a refusal for good is parked here.
        """
        async with self.store.begin() as tx:
            work = await grants.begin(tx, reward_id, self.clock())
        if work is None:
            return
        try:
            await self._settle(work)
        except Permanent as error:
            async with self.store.begin() as tx:
                await grants.park(tx, reward_id, error.code, str(error), self.clock())
        except (Retryable, RetryAfter, Ambiguous) as error:
            raise await self._again(work, error) from error

    @activity.defn
    async def park_reward(self, reward_id: str, error: str) -> None:
        """Its attempts are spent."""
        async with self.store.begin() as tx:
            await grants.park(tx, reward_id, "attempts_spent", error, self.clock())

    async def _settle(self, work: Work) -> None:
        provider = self.providers.get(work.reward.provider)
        if provider is None:
            raise Permanent(
                "not_set_up", f"The provider {work.reward.provider} is not set up here."
            )
        circuit = self.circuits.setdefault(provider.name, Circuit())
        circuit.check(self.clock())
        try:
            await self._call(provider, work)
        except RetryAfter:
            raise  # it answers: it is not down
        except (Retryable, Ambiguous):
            circuit.failed(self.clock())
            raise
        circuit.succeeded()

    async def _call(self, provider: Provider, work: Work) -> None:
        grant = _grant(work)
        if work.reward.state == RewardState.ROLLING_BACK:
            await self._take_back(provider, grant, work)
            return
        receipt = await self._book(
            lambda: provider.grant(grant), lambda: provider.look_up(grant), work
        )
        async with self.store.begin() as tx:
            await grants.granted(tx, work.reward.id, receipt.reference, self.clock())

    async def _take_back(self, provider: Provider, grant: Grant, work: Work) -> None:
        granted = work.reward.granted_at is not None or await provider.look_up(grant) is not None
        if granted:
            await self._book(
                lambda: provider.roll_back(grant, work.reward.reference),
                lambda: provider.look_up(grant, reversal=True),
                work,
            )
        async with self.store.begin() as tx:
            await grants.rolled_back(tx, work.reward.id, self.clock(), was_granted=granted)

    async def _book(self, call: Booking, look: LookUp, work: Work) -> Receipt:
        """The receipt of a call that is made once: where it may have been made before, the books are read first."""
        receipt = await look() if work.repeated else None
        if receipt is None and work.reward.taken_at:
            raise RetryAfter("The provider has taken it, and has not booked it yet.", POLL)
        receipt = receipt or await call()
        if not receipt.settled:
            async with self.store.begin() as tx:
                await grants.taken(tx, work.reward.id, receipt.reference, self.clock())
            raise RetryAfter("The provider has taken it, and has not booked it yet.", POLL)
        return receipt

    async def _again(
        self, work: Work, error: Retryable | RetryAfter | Ambiguous
    ) -> ApplicationError:
        wait = _pause(work.reward.attempts)
        if isinstance(error, RetryAfter):
            wait = max(wait, error.after)
        if isinstance(error, Ambiguous):
            wait = max(wait, self.providers[work.reward.provider].visible_after)
        async with self.store.begin() as tx:
            retry_at = self.clock() + wait
            await grants.note_error(tx, work.reward.id, type(error).__name__, str(error), retry_at)
        return ApplicationError(
            str(error),
            type=type(error).__name__,
            next_retry_delay=wait,
            category=ApplicationErrorCategory.BENIGN,
        )


def _grant(work: Work) -> Grant:
    reward = work.reward
    return Grant(
        key=reward.key,
        customer=work.customer,
        type=reward.type,
        amount=reward.amount,
        currency=reward.currency,
        reason=describe(reward),
        target=reward.target or {},
    )


def _pause(attempts: int) -> timedelta:
    """Grows with the attempts, by chance shorter, so that what failed together does not come back together."""
    longest: timedelta = min(FIRST_PAUSE * 2 ** min(attempts, 16), LONGEST_PAUSE)
    return longest * random.uniform(0.5, 1)  # noqa: S311 - not a secret
