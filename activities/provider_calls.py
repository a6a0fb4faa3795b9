"""Call providers at their pace, and pause the calls while a provider does not respond."""

import asyncio
import random
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Protocol, TypeVar

from temporalio.exceptions import ApplicationError, ApplicationErrorCategory

from referrals.clock import Clock
from referrals.domain.call_queue import Turn
from referrals.domain.failure_causes import Failure, FailureCause
from referrals.providers import (
    OutcomeUnknownError,
    PermanentError,
    Provider,
    ProviderError,
    RetryableError,
    RetryAfterError,
    UnavailableError,
)
from referrals.providers.circuit_breaker import CircuitBreaker
from referrals.providers.request_count import count_requests
from referrals.store import Store
from referrals.store.db.sql import Tx
from referrals.store.flow.event_loop import decision
from referrals.store.rewards import provider_rate_limits
from referrals.store.rewards.provider_rewards import NotVisibleYet

CALL_TIMEOUT = timedelta(minutes=1)
"""Limit of one look-up or booking, including all its HTTP requests."""
MAX_TURN_WAIT = timedelta(seconds=2)
"""Longest wait inside an activity for a call that starts now; beyond it another attempt makes the call."""
MAX_IN_FLIGHT_TIME = timedelta(seconds=40)
"""Longest time for which a request may still reach the provider after its caller gave up."""
INITIAL_RETRY_DELAY = timedelta(seconds=2)
MAX_RETRY_DELAY = timedelta(minutes=10)
"""Longest delay between attempts that the provider refuses for now."""
MAX_OUTAGE_DELAY = timedelta(minutes=1)
"""Longest delay after an outage. The circuit breaker and the queue protect a provider that is down."""
PAUSED = UnavailableError("The provider is not responding; calls to it are paused.")

Result = TypeVar("Result")


class Task(Protocol):
    """Something to send to a provider, with the turn that is reserved for it in the provider's queue."""

    @property
    def provider(self) -> str: ...

    @property
    def turn_at(self) -> datetime | None: ...


T = TypeVar("T", bound=Task)


class Tasks(Protocol[T]):
    """Module of the store that has the tasks, by the ids of their rows."""

    async def begin(self, tx: Tx, row_id: str, now: datetime, /) -> T | None: ...

    async def start_attempt(self, tx: Tx, task: T, /) -> T: ...

    async def wait_for_turn(
        self, tx: Tx, task: T, turn_at: datetime, failure: Failure | None, /
    ) -> None: ...


@dataclass
class ProviderCalls:
    """`providers` are those configured here, by name; `requests_per_second` are their rate limits."""

    store: Store
    providers: Mapping[str, Provider]
    requests_per_second: Mapping[str, float]
    clock: Clock
    circuits: dict[str, CircuitBreaker] = field(default_factory=dict)

    def get(self, name: str) -> Provider:
        """Return a provider by its name.

        Raises:
            PermanentError: `not_set_up` if it is not configured here.
        """
        provider = self.providers.get(name)
        if provider is None:
            message = f"The provider {name} is not configured here."
            raise PermanentError("not_set_up", message, FailureCause.CREDENTIALS)
        return provider

    def pause_failure(self, name: str) -> Failure | None:
        """Return the failure for which calls to the provider are paused, if they are."""
        return PAUSED.failure if self._circuit(name).open_until(self.clock()) else None

    async def start_attempt(self, tasks: Tasks[T], row_id: str) -> tuple[T, Turn] | None:
        """Begin an attempt if the provider's queue lets it; until then, none is counted. None if there is nothing to do.

        Raises:
            ApplicationError: it is too early, with the delay of the next attempt.
        """
        try:
            async with decision(self.store) as tx:
                task = await tasks.begin(tx, row_id, self.clock())
                if task is None:
                    return None
                turn = await self._take_turn(tx, task.provider, task.turn_at)
                if turn.is_now:
                    task = await tasks.start_attempt(tx, task)
                else:
                    paused = self.pause_failure(task.provider)
                    await tasks.wait_for_turn(tx, task, turn.at, paused)
        except NotVisibleYet as error:
            message = "An earlier request may have arrived but is not visible yet."
            raise retry_later(message, error.delay) from error
        if not turn.is_now:
            message = "Waiting for a turn in the provider's queue."
            raise retry_later(message, turn.at - self.clock(), "Queued")
        return task, turn

    async def _take_turn(self, tx: Tx, name: str, reserved: datetime | None) -> Turn:
        """Return when a call may start: now, or at a turn that is reserved for a later attempt."""
        now = self.clock()
        if name not in self.providers:
            return Turn(now, is_now=True)  # `run` fails
        cost = self._cost(name, self.providers[name].usual_requests)
        async with provider_rate_limits.locked_queue(tx, name, now) as queue:
            circuit = self._circuit(name)  # read under the lock, so that only one call is a trial
            turn = queue.take_turn(
                now, cost, MAX_TURN_WAIT, reserved=reserved, not_before=circuit.open_until(now)
            )
            if turn.is_now:
                circuit.start_call(now)
        return turn

    async def run(
        self, name: str, turn: Turn, call: Callable[[Provider], Awaitable[Result]]
    ) -> Result:
        """Make the call at its turn, and record whether the provider responded and how many requests it took.

        Raises:
            ProviderError: the call failed.
        """
        provider = self.get(name)
        await asyncio.sleep(max(turn.at - self.clock(), timedelta(0)).total_seconds())
        with count_requests() as count:
            try:
                result = await call(provider)
            except (UnavailableError, OutcomeUnknownError):
                self._circuit(name).record_outage(self.clock())
                raise
            except ProviderError:
                self._circuit(name).record_response()
                raise
            finally:
                await self._pay(provider, count.requests)
        self._circuit(name).record_response()
        return result

    async def send(
        self,
        provider: Provider,
        request: Callable[[], Awaitable[Result]],
        mark_started: Callable[[Tx, datetime, datetime], Awaitable[None]],
        mark_outcome_unknown: Callable[[Tx, datetime | None], Awaitable[None]],
    ) -> Result:
        """Send a request that changes something at the provider, and store for how long its outcome is unknown.

        `mark_started` gets the times of the call and of its visible outcome; `mark_outcome_unknown` gets that of its
        outcome, or None if nothing was booked.
        """
        visible_after = _visible_after(provider)
        async with self.store.begin() as tx:
            now = self.clock()
            await mark_started(tx, now, now + CALL_TIMEOUT + visible_after)
        try:
            return await with_timeout(request(), OutcomeUnknownError)
        except (OutcomeUnknownError, RetryableError, PermanentError) as error:
            is_unknown = isinstance(error, OutcomeUnknownError)
            async with self.store.begin() as tx:
                await mark_outcome_unknown(tx, self.clock() + visible_after if is_unknown else None)
            raise

    async def _pay(self, provider: Provider, requests: int) -> None:
        """Charge the requests that the turn has not paid for, or give back those that were not needed."""
        if requests != provider.usual_requests:
            cost = self._cost(provider.name, requests - provider.usual_requests)
            async with self.store.begin() as tx:
                await provider_rate_limits.add_cost(tx, provider.name, cost, self.clock())

    def _cost(self, name: str, requests: int) -> timedelta:
        return timedelta(seconds=requests / self.requests_per_second[name])

    def _circuit(self, name: str) -> CircuitBreaker:
        return self.circuits.setdefault(name, CircuitBreaker())


async def with_timeout(
    call: Awaitable[Result], on_timeout: type[UnavailableError | OutcomeUnknownError]
) -> Result:
    try:
        async with asyncio.timeout(CALL_TIMEOUT.total_seconds()):
            return await call
    except TimeoutError:
        raise on_timeout("The provider did not respond in time.") from None


def _visible_after(provider: Provider) -> timedelta:
    """Return the delay after which a look-up sees the outcome of a call that was given up."""
    return MAX_IN_FLIGHT_TIME + provider.visible_after


def retry_delay(error: ProviderError, attempts: int, provider: Provider) -> timedelta:
    """Return the delay before the next attempt: the provider's, or exponential back-off with jitter."""
    if isinstance(error, RetryAfterError):
        return error.after
    is_outage = isinstance(error, UnavailableError | OutcomeUnknownError)
    longest = MAX_OUTAGE_DELAY if is_outage else MAX_RETRY_DELAY
    delay: timedelta = min(INITIAL_RETRY_DELAY * 2 ** min(attempts, 16), longest)
    delay *= random.uniform(0.5, 1)  # noqa: S311 - not a secret
    if isinstance(error, OutcomeUnknownError):
        return max(delay, _visible_after(provider))
    return delay


def retry_later(
    message: str, delay: timedelta, error_type: str = "NotVisibleYet"
) -> ApplicationError:
    """Build the error with which an activity asks for its next attempt after the delay."""
    return ApplicationError(
        message,
        type=error_type,
        next_retry_delay=delay,
        category=ApplicationErrorCategory.BENIGN,
    )
