"""A circuit breaker: a provider that is down is left alone for a while, and no reward fails by it."""

from datetime import datetime, timedelta

from referrals.providers import RetryAfter

MOST_FAILURES = 5
"""In a row, before the provider counts as down."""
REST = timedelta(seconds=30)


class Circuit:
    """Of one provider in one worker. Open, it lets one call through after each rest, to see."""

    def __init__(self) -> None:
        self._failures = 0
        self._open_until: datetime | None = None

    def check(self, now: datetime) -> None:
        """Raises RetryAfter while the provider rests."""
        if self._open_until and now < self._open_until:
            raise RetryAfter(
                "The provider does not answer; it is left alone.", self._open_until - now
            )
        if self._open_until:
            self._open_until = now + REST

    def failed(self, now: datetime) -> None:
        self._failures += 1
        if self._failures >= MOST_FAILURES:
            self._open_until = now + REST

    def succeeded(self) -> None:
        self._failures = 0
        self._open_until = None
