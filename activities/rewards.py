"""Deliver rewards through external providers: each activity takes one reward one step further, exactly once."""

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
from referrals.providers.circuit_breaker import CircuitBreaker
from referrals.store import Store
from referrals.store.flow.event_loop import decision
from referrals.store.rewards import provider_rate_limits, provider_rewards
from referrals.store.rewards.provider_rewards import ATTEMPTS_EXHAUSTED, ProviderTask
from referrals.store.rewards.reward_rows import describe

INITIAL_RETRY_DELAY = timedelta(seconds=2)
MAX_RETRY_DELAY = timedelta(minutes=10)
POLL_INTERVAL = timedelta(seconds=30)
"""Delay between look-ups of a request that the provider has accepted but not booked yet."""
CALL_TIMEOUT = timedelta(minutes=1)
"""Limit of one look-up or booking, including all its HTTP requests."""
MAX_RATE_LIMIT_WAIT = timedelta(seconds=5)
"""Longest wait inside an activity for a rate-limited call; beyond it the activity is retried later."""
MAX_IN_FLIGHT_TIME = timedelta(seconds=40)
"""Longest time for which a request may still reach the provider after its caller gave up."""


Booking = Callable[[], Awaitable[Receipt]]
LookUp = Callable[[], Awaitable[Receipt | None]]
Result = TypeVar("Result")


@dataclass
class RewardActivities:
    """`providers` are those configured here, by name; `rate_limits` are their calls per second."""

    store: Store
    providers: Mapping[str, Provider]
    rate_limits: Mapping[str, float]
    clock: Clock
    circuits: dict[str, CircuitBreaker] = field(default_factory=dict)

    @activity.defn(name="deliver_reward")
    async def deliver_reward(self, reward_id: str) -> None:
        """Grant the reward or reverse it, depending on its row; do nothing if neither is due.

        Every attempt after the first looks the booking up before it repeats the request. A permanent failure marks
        the reward as failed.

        Raises:
            ApplicationError: temporary failure, with the delay of the next attempt.
        """
        try:
            async with self.store.begin() as tx:
                task = await provider_rewards.begin(tx, reward_id, self.clock())
        except provider_rewards.NotVisibleYet as error:
            message = "An earlier request may be booked but is not visible yet."
            raise _retry_later(message, error.delay) from error
        if task is None:
            return
        try:
            with log_context(reward_id=reward_id):
                await self._call_within_limits(task)
        except PermanentError as error:
            async with decision(self.store) as tx:
                await provider_rewards.mark_failed(
                    tx, reward_id, error.code, str(error), self.clock()
                )
        except (RetryableError, OutcomeUnknownError) as error:
            raise await self._schedule_retry(task, error) from error

    @activity.defn(name="mark_reward_failed")
    async def mark_reward_failed(self, reward_id: str, error: str) -> None:
        """Mark the reward as failed, because all attempts are used up."""
        async with decision(self.store) as tx:
            await provider_rewards.mark_failed(
                tx, reward_id, ATTEMPTS_EXHAUSTED, error, self.clock()
            )

    async def _call_within_limits(self, task: ProviderTask) -> None:
        """Call the provider, subject to its circuit breaker and rate limit."""
        provider = self.providers.get(task.reward.provider)
        if provider is None:
            raise PermanentError(
                "not_set_up", f"The provider {task.reward.provider} is not configured here."
            )
        circuit = self.circuits.setdefault(provider.name, CircuitBreaker())
        circuit.check(self.clock())
        await self._wait_for_rate_limit(provider.name)
        try:
            await self._call(provider, task)
        except RetryAfterError:
            raise  # the provider responded, so it is not down
        except (RetryableError, OutcomeUnknownError):
            circuit.record_failure(self.clock())
            raise
        circuit.record_success()

    async def _wait_for_rate_limit(self, provider: str) -> None:
        if provider not in self.rate_limits:
            return
        async with self.store.begin() as tx:
            delay = await provider_rate_limits.reserve_call(
                tx, provider, self.rate_limits[provider], self.clock(), MAX_RATE_LIMIT_WAIT
            )
        if delay > MAX_RATE_LIMIT_WAIT:
            raise RetryAfterError("The rate limit of this provider is used up.", delay)
        await asyncio.sleep(delay.total_seconds())

    async def _call(self, provider: Provider, task: ProviderTask) -> None:
        if task.reward.state == RewardState.ROLLING_BACK:
            await self._reverse_at_provider(provider, task)
            return
        grant = _grant_of(task)
        receipt = await self._book_once(
            lambda: provider.grant(grant), lambda: provider.look_up(grant), provider, task
        )
        async with decision(self.store) as tx:
            await provider_rewards.mark_granted(tx, task.reward.id, receipt.reference, self.clock())

    async def _reverse_at_provider(self, provider: Provider, task: ProviderTask) -> None:
        if not await self._was_granted(provider, task):
            async with decision(self.store) as tx:
                await provider_rewards.mark_never_granted(tx, task.reward.id, self.clock())
            return
        remainder = replace(_grant_of(task), amount=task.reward.amount - task.owed)
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
            receipt = await _with_timeout(provider.look_up(_grant_of(task)), UnavailableError)
        except NotBookedError:
            return False
        if receipt is None and not task.accepted:
            return False
        if receipt is None or not receipt.booked:
            raise _not_booked_yet()
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
        receipt = await _with_timeout(look_up(), UnavailableError) if task.repeated else None
        if receipt is None and task.accepted:
            raise _not_booked_yet()
        receipt = receipt or await self._send(book, provider, task)
        if not receipt.booked:
            async with self.store.begin() as tx:
                await provider_rewards.mark_accepted(
                    tx, task.reward.id, receipt.reference, self.clock()
                )
            raise _not_booked_yet()
        return receipt

    async def _send(self, book: Booking, provider: Provider, task: ProviderTask) -> Receipt:
        """Send the request, and store for how long its outcome is unknown."""
        visible_after = MAX_IN_FLIGHT_TIME + provider.visible_after
        async with self.store.begin() as tx:
            now = self.clock()
            await provider_rewards.mark_call_started(
                tx, task, now, now + CALL_TIMEOUT + visible_after
            )
        try:
            return await _with_timeout(book(), OutcomeUnknownError)
        except OutcomeUnknownError:
            async with self.store.begin() as tx:
                await provider_rewards.mark_outcome_unknown(
                    tx, task.reward.id, self.clock() + visible_after
                )
            raise
        except (RetryableError, PermanentError):
            async with self.store.begin() as tx:
                await provider_rewards.mark_outcome_unknown(tx, task.reward.id, None)
            raise

    async def _schedule_retry(
        self, task: ProviderTask, error: RetryableError | OutcomeUnknownError
    ) -> ApplicationError:
        delay = _backoff(task.reward.attempts)
        if isinstance(error, RetryAfterError):
            delay = max(delay, error.after)
        if isinstance(error, OutcomeUnknownError):
            visible_after = self.providers[task.reward.provider].visible_after
            delay = max(delay, MAX_IN_FLIGHT_TIME + visible_after)
        async with self.store.begin() as tx:
            retry_at = self.clock() + delay
            await provider_rewards.record_error(
                tx, task.reward.id, error.code, str(error), retry_at
            )
        return _retry_later(str(error), delay, type(error).__name__)


def _not_booked_yet() -> RetryAfterError:
    message = "The provider has accepted the request but not booked it yet."
    return RetryAfterError(message, POLL_INTERVAL)


def _retry_later(
    message: str, delay: timedelta, error_type: str = "NotVisibleYet"
) -> ApplicationError:
    return ApplicationError(
        message,
        type=error_type,
        next_retry_delay=delay,
        category=ApplicationErrorCategory.BENIGN,
    )


async def _with_timeout(
    call: Awaitable[Result], on_timeout: type[UnavailableError | OutcomeUnknownError]
) -> Result:
    try:
        async with asyncio.timeout(CALL_TIMEOUT.total_seconds()):
            return await call
    except TimeoutError:
        raise on_timeout("The provider did not respond in time.") from None


def _grant_of(task: ProviderTask) -> Grant:
    reward = task.reward
    return Grant(
        key=reward.key,
        customer=task.customer,
        type=reward.type,
        amount=reward.amount,
        currency=reward.currency,
        reason=describe(reward),
        target=reward.target or {},
    )


def _backoff(attempts: int) -> timedelta:
    """Return the delay before the next attempt: exponential, with jitter."""
    longest: timedelta = min(INITIAL_RETRY_DELAY * 2 ** min(attempts, 16), MAX_RETRY_DELAY)
    return longest * random.uniform(0.5, 1)  # noqa: S311 - not a secret
