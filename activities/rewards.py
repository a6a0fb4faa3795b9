"""Rewards at other providers: one activity takes one reward one step on, grant or roll-back, exactly once."""

import asyncio
import random
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import TypeVar

from temporalio import activity
from temporalio.exceptions import ApplicationError, ApplicationErrorCategory

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
    Spent,
)
from referrals.providers.circuit_breaker import Circuit
from referrals.store import Store
from referrals.store.rewards import provider_rate_limits, provider_rewards
from referrals.store.rewards.provider_rewards import ATTEMPTS_SPENT, REJECTED, Work
from referrals.store.rewards.reward_rows import describe

FIRST_PAUSE = timedelta(seconds=2)
LONGEST_PAUSE = timedelta(minutes=10)
POLL = timedelta(seconds=30)
"""Between looks at what a provider has taken but not settled."""
PATIENCE = timedelta(minutes=1)
"""For a look-up and for a booking, whatever requests it is made of."""
LONGEST_TURN = timedelta(seconds=5)
"""Who has to wait longer for its turn comes again."""
SENT = timedelta(seconds=40)
"""How long a request may be on its way when nobody waits for it any more."""


Booking = Callable[[], Awaitable[Receipt]]
LookUp = Callable[[], Awaitable[Receipt | None]]
Found = TypeVar("Found")


@dataclass
class RewardActivities:
    """`providers` are those set up on this deployment, by name; `paces` the rewards that each takes in a second."""

    store: Store
    providers: Mapping[str, Provider]
    paces: Mapping[str, float]
    clock: Clock
    circuits: dict[str, Circuit] = field(default_factory=dict)

    @activity.defn(name="settle_reward")
    async def settle_reward(self, reward_id: str) -> None:
        """Grant the reward, or take it back, as its row says; nothing where neither is due.

        On every attempt after the first the provider is asked whether it has booked the reward before it is called
        again. Raises ApplicationError to be tried again later; a refusal for good is parked here.
        """
        try:
            async with self.store.begin() as tx:
                work = await provider_rewards.begin(tx, reward_id, self.clock())
        except provider_rewards.NotYet as error:
            raise _later("It may be booked, which cannot be seen yet.", error.wait) from error
        if work is None:
            return
        try:
            await self._settle(work)
        except Permanent as error:
            async with self.store.begin() as tx:
                await provider_rewards.park(tx, reward_id, error.code, str(error), self.clock())
        except (Retryable, RetryAfter, Ambiguous) as error:
            raise await self._again(work, error) from error

    @activity.defn(name="park_reward")
    async def park_reward(self, reward_id: str, error: str) -> None:
        """Its attempts are spent."""
        async with self.store.begin() as tx:
            await provider_rewards.park(tx, reward_id, ATTEMPTS_SPENT, error, self.clock())

    async def _settle(self, work: Work) -> None:
        provider = self.providers.get(work.reward.provider)
        if provider is None:
            raise Permanent(
                "not_set_up", f"The provider {work.reward.provider} is not set up here."
            )
        circuit = self.circuits.setdefault(provider.name, Circuit())
        circuit.check(self.clock())
        await self._take_turn(provider.name)
        try:
            await self._call(provider, work)
        except RetryAfter:
            raise  # it answers: it is not down
        except (Retryable, Ambiguous):
            circuit.failed(self.clock())
            raise
        circuit.succeeded()

    async def _take_turn(self, provider: str) -> None:
        if provider not in self.paces:
            return
        async with self.store.begin() as tx:
            wait = await provider_rate_limits.take_turn(
                tx, provider, self.paces[provider], self.clock(), LONGEST_TURN
            )
        if wait > LONGEST_TURN:
            raise RetryAfter("Many rewards wait for this provider.", wait)
        await asyncio.sleep(wait.total_seconds())

    async def _call(self, provider: Provider, work: Work) -> None:
        if work.reward.state == RewardState.ROLLING_BACK:
            await self._take_back(provider, work)
            return
        grant = _grant(work)
        receipt = await self._book(
            lambda: provider.grant(grant), lambda: provider.look_up(grant), provider, work
        )
        async with self.store.begin() as tx:
            await provider_rewards.granted(tx, work.reward.id, receipt.reference, self.clock())

    async def _take_back(self, provider: Provider, work: Work) -> None:
        if not await self._was_granted(provider, work):
            async with self.store.begin() as tx:
                await provider_rewards.never_granted(tx, work.reward.id, self.clock())
            return
        left = replace(_grant(work), amount=work.reward.amount - work.owed)
        try:
            if left.amount:
                await self._book(
                    lambda: provider.roll_back(left, work.reward.reference),
                    lambda: provider.look_up(left, reversal=True),
                    provider,
                    work,
                )
        except Spent as spent:
            await self._owe(work, left.amount - max(spent.held, 0))
            raise Retryable(str(spent)) from spent
        async with self.store.begin() as tx:
            await provider_rewards.rolled_back(tx, work.reward.id, self.clock())

    async def _was_granted(self, provider: Provider, work: Work) -> bool:
        """What became of the grant, before anything is taken back."""
        if work.reward.granted_at:
            return True
        try:
            receipt = await _in_time(provider.look_up(_grant(work)), Retryable)
        except Permanent as error:
            if error.code == REJECTED:
                return False
            raise
        if receipt is None and not work.reward.taken_at:
            return False
        if receipt is None or not receipt.settled:
            raise RetryAfter("The provider has taken it, and has not booked it yet.", POLL)
        async with self.store.begin() as tx:
            await provider_rewards.found(tx, work.reward.id, receipt.reference, self.clock())
        return True

    async def _owe(self, work: Work, amount: int) -> None:
        """What is spent over there cannot be taken back, and is owed here."""
        async with self.store.begin() as tx:
            await provider_rewards.owe(tx, work.reward.id, amount, self.clock())

    async def _book(self, call: Booking, look: LookUp, provider: Provider, work: Work) -> Receipt:
        """The receipt of a call that is made once: where it may have been made before, the books are read first."""
        receipt = await _in_time(look(), Retryable) if work.repeated else None
        if receipt is None and work.taken:
            raise RetryAfter("The provider has taken it, and has not booked it yet.", POLL)
        receipt = receipt or await self._make(call, provider, work)
        if not receipt.settled:
            async with self.store.begin() as tx:
                await provider_rewards.taken(tx, work.reward.id, receipt.reference, self.clock())
            raise RetryAfter("The provider has taken it, and has not booked it yet.", POLL)
        return receipt

    async def _make(self, call: Booking, provider: Provider, work: Work) -> Receipt:
        """Make the call, with its end noted as unclear for as long as it is."""
        seen = SENT + provider.visible_after
        async with self.store.begin() as tx:
            now = self.clock()
            await provider_rewards.calling(tx, work, now, now + PATIENCE + seen)
        try:
            return await _in_time(call(), Ambiguous)
        except Ambiguous:
            async with self.store.begin() as tx:
                await provider_rewards.unclear(tx, work.reward.id, self.clock() + seen)
            raise
        except (Retryable, Permanent):
            async with self.store.begin() as tx:
                await provider_rewards.unclear(tx, work.reward.id, None)
            raise

    async def _again(
        self, work: Work, error: Retryable | RetryAfter | Ambiguous
    ) -> ApplicationError:
        wait = _pause(work.reward.attempts)
        if isinstance(error, RetryAfter):
            wait = max(wait, error.after)
        if isinstance(error, Ambiguous):
            wait = max(wait, SENT + self.providers[work.reward.provider].visible_after)
        async with self.store.begin() as tx:
            retry_at = self.clock() + wait
            await provider_rewards.note_error(
                tx, work.reward.id, type(error).__name__, str(error), retry_at
            )
        return _later(str(error), wait, type(error).__name__)


def _later(sentence: str, wait: timedelta, kind: str = "NotYet") -> ApplicationError:
    return ApplicationError(
        sentence,
        type=kind,
        next_retry_delay=wait,
        category=ApplicationErrorCategory.BENIGN,
    )


async def _in_time(call: Awaitable[Found], late: type[Retryable | Ambiguous]) -> Found:
    try:
        async with asyncio.timeout(PATIENCE.total_seconds()):
            return await call
    except TimeoutError:
        raise late("The provider has not answered in time.") from None


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
