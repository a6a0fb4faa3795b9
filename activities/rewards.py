"""Deliver rewards through external providers: each activity takes one reward one step further, exactly once."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from datetime import timedelta

from temporalio import activity
from temporalio.exceptions import ApplicationError

from activities.provider_calls import (
    ProviderCalls,
    retry_delay,
    retry_later,
    with_timeout,
)
from referrals.clock import Clock
from referrals.domain.call_queue import Turn
from referrals.domain.states import RewardState
from referrals.logging import log_context
from referrals.providers import (
    AlreadySpentError,
    Grant,
    NotBookedError,
    OutcomeUnknownError,
    PermanentError,
    Provider,
    Receipt,
    RetryableError,
    RetryAfterError,
    UnavailableError,
)
from referrals.store import Store
from referrals.store.flow.event_loop import decision
from referrals.store.rewards import provider_rewards
from referrals.store.rewards.provider_rewards import ProviderTask
from referrals.store.rewards.reward_rows import describe

POLL_INTERVAL = timedelta(seconds=30)
"""First delay between look-ups of a request that the provider has accepted but not booked yet. The delay grows."""
MAX_POLL_INTERVAL = timedelta(minutes=10)

Booking = Callable[[], Awaitable[Receipt]]
LookUp = Callable[[], Awaitable[Receipt | None]]


@dataclass
class RewardActivities:
    """`looks_up_first` is set after a restore of the database: the providers may have granted rewards that it has lost."""

    store: Store
    calls: ProviderCalls
    clock: Clock
    looks_up_first: bool = False

    @activity.defn(name="deliver_reward")
    async def deliver_reward(self, reward_id: str) -> None:
        """Grant the reward or reverse it, depending on its row; do nothing if neither is due.

        Every attempt after the first looks the booking up before it repeats the request. A permanent failure marks
        the reward as failed. An attempt begins when the provider's queue lets it; until then, none is counted. A
        reward whose whole amount repays what the customer owes takes no attempt.

        Raises:
            ApplicationError: temporary failure, with the delay of the next attempt.
        """
        if started := await self.calls.start_attempt(provider_rewards, reward_id):
            await self._attempt(*started)

    async def _attempt(self, task: ProviderTask, turn: Turn) -> None:
        reward = task.reward
        try:
            with log_context(reward_id=reward.id):
                await self.calls.run(
                    reward.provider, turn, lambda provider: self._call(provider, task)
                )
        except PermanentError as error:
            async with decision(self.store) as tx:
                await provider_rewards.mark_failed(tx, reward.id, error.failure, self.clock())
        except (RetryableError, OutcomeUnknownError) as error:
            raise await self._schedule_retry(task, error) from error

    @activity.defn(name="mark_reward_failed")
    async def mark_reward_failed(self, reward_id: str, error: str) -> None:
        """Mark the reward as failed, because all attempts are used up."""
        async with decision(self.store) as tx:
            await provider_rewards.mark_exhausted(tx, reward_id, error, self.clock())

    async def _call(self, provider: Provider, task: ProviderTask) -> None:
        if task.reward.state == RewardState.ROLLING_BACK:
            await self._reverse_at_provider(provider, task)
            return
        grant = _grant_of(task)
        receipt = await self._book_once(
            lambda: provider.grant(grant), lambda: self._find_grant(provider, task), provider, task
        )
        async with decision(self.store) as tx:
            await provider_rewards.mark_granted(tx, task.reward.id, receipt.reference, self.clock())

    async def _find_grant(self, provider: Provider, task: ProviderTask) -> Receipt | None:
        """Look the grant up. One that the provider has reversed before is history: the reward takes the next key."""
        grant = _grant_of(task)
        try:
            receipt = await provider.look_up(grant)
        except NotBookedError:
            if task.repeated:
                raise
            return None
        if receipt and receipt.booked and await provider.look_up(grant, reversal=True):
            async with self.store.begin() as tx:
                await provider_rewards.take_next_occurrence(tx, task.reward.id, self.clock())
            message = "The provider granted and reversed this key before; the next one follows."
            raise RetryAfterError(message, timedelta(0))
        return receipt

    async def _reverse_at_provider(self, provider: Provider, task: ProviderTask) -> None:
        if not await self._was_granted(provider, task):
            async with decision(self.store) as tx:
                await provider_rewards.mark_never_granted(tx, task.reward.id, self.clock())
            return
        remainder = replace(_grant_of(task), amount=task.amount - task.owed)
        try:
            if remainder.amount:
                await self._book_once(
                    lambda: provider.roll_back(remainder, task.reward.reference),
                    lambda: provider.look_up(remainder, reversal=True),
                    provider,
                    task,
                )
        except AlreadySpentError as error:
            await self._record_debt(task, remainder.amount - max(error.remaining, 0))
            raise RetryableError(str(error)) from error
        async with decision(self.store) as tx:
            await provider_rewards.mark_rolled_back(tx, task.reward.id, self.clock())

    async def _was_granted(self, provider: Provider, task: ProviderTask) -> bool:
        """Find out whether the grant was booked, before reversing it."""
        if task.reward.granted_at:
            return True
        try:
            receipt = await with_timeout(provider.look_up(_grant_of(task)), UnavailableError)
        except NotBookedError:
            return False
        if receipt is None and not task.accepted:
            return False
        if receipt is None or not receipt.booked:
            raise self._not_booked_yet(task)
        async with self.store.begin() as tx:
            await provider_rewards.mark_booked(tx, task.reward.id, receipt.reference, self.clock())
        return True

    async def _record_debt(self, task: ProviderTask, amount: int) -> None:
        """Record the amount that the customer has spent at the provider as a debt here."""
        async with self.store.begin() as tx:
            await provider_rewards.record_debt(tx, task.reward.id, amount, self.clock())

    async def _book_once(
        self, book: Booking, look_up: LookUp, provider: Provider, task: ProviderTask
    ) -> Receipt:
        """Send the request at most once: if an earlier attempt may have sent it, look it up first."""
        looks_up = task.repeated or self.looks_up_first
        receipt = await with_timeout(look_up(), UnavailableError) if looks_up else None
        if receipt is None and task.accepted:
            raise self._not_booked_yet(task)
        receipt = receipt or await self._send(book, provider, task)
        if not receipt.booked:
            async with self.store.begin() as tx:
                await provider_rewards.mark_accepted(
                    tx, task.reward.id, receipt.reference, self.clock()
                )
            raise self._not_booked_yet(task)
        return receipt

    async def _send(self, book: Booking, provider: Provider, task: ProviderTask) -> Receipt:
        return await self.calls.send(
            provider,
            book,
            lambda tx, now, until: provider_rewards.mark_call_started(tx, task, now, until),
            lambda tx, until: provider_rewards.mark_outcome_unknown(tx, task.reward.id, until),
        )

    async def _schedule_retry(
        self, task: ProviderTask, error: RetryableError | OutcomeUnknownError
    ) -> ApplicationError:
        provider = self.calls.get(task.reward.provider)
        delay = retry_delay(error, task.reward.attempts, provider)
        async with self.store.begin() as tx:
            await provider_rewards.record_error(
                tx, task.reward.id, error.failure, self.clock() + delay
            )
        return retry_later(str(error), delay, type(error).__name__)

    def _not_booked_yet(self, task: ProviderTask) -> RetryAfterError:
        """Build the error of a request that is accepted but not booked; look again after a quarter of its age."""
        accepted_at = task.reward.accepted_by_provider_at
        age = self.clock() - accepted_at if accepted_at else timedelta(0)
        message = "The provider has accepted the request but not booked it yet."
        return RetryAfterError(message, min(max(POLL_INTERVAL, age / 4), MAX_POLL_INTERVAL))


def _grant_of(task: ProviderTask) -> Grant:
    reward = task.reward
    return Grant(
        key=reward.key,
        customer=task.customer,
        type=reward.type,
        amount=task.amount,
        currency=reward.currency,
        reason=describe(reward),
        target=reward.target or {},
    )
