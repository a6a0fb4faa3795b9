"""Circuit breaker: stop calling a provider that is down, without failing any reward."""

from datetime import datetime, timedelta

from referrals.providers import RetryAfterError

FAILURE_THRESHOLD = 5
"""Consecutive failures that open the circuit."""
OPEN_DURATION = timedelta(seconds=30)
"""Time without calls after the circuit opens, before one trial call is allowed."""


class CircuitBreaker:
    """Circuit of one provider in one worker. While open, it lets one trial call through per `OPEN_DURATION`."""

    def __init__(self) -> None:
        self._failures = 0
        self._open_until: datetime | None = None

    def check(self, now: datetime) -> None:
        """Allow a call now.

        Raises:
            RetryAfterError: the circuit is open.
        """
        if self._open_until and now < self._open_until:
            raise RetryAfterError(
                "The provider is not responding; calls to it are paused.", self._open_until - now
            )
        if self._open_until:
            self._open_until = now + OPEN_DURATION

    def record_failure(self, now: datetime) -> None:
        self._failures += 1
        if self._failures >= FAILURE_THRESHOLD:
            self._open_until = now + OPEN_DURATION

    def record_success(self) -> None:
        self._failures = 0
        self._open_until = None
