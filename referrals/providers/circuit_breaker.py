"""Circuit breaker: stop calling a provider that is down, without failing any reward."""

from datetime import datetime, timedelta

FAILURE_THRESHOLD = 5
"""Consecutive outages of calls that open the circuit."""
OPEN_DURATION = timedelta(seconds=30)
"""Time without calls after the circuit opens, and between its trial calls."""


class CircuitBreaker:
    """Circuit of one provider in one worker. While open, one trial call per `OPEN_DURATION` goes through.

    Only a call without a usable response is an outage. Any other response closes the circuit, also a refusal.
    """

    def __init__(self) -> None:
        self._outages = 0
        self._next_trial_at: datetime | None = None

    def open_until(self, now: datetime) -> datetime | None:
        """Return the time of the next trial call, if the circuit is open and no call may start now."""
        return self._next_trial_at if self._next_trial_at and self._next_trial_at > now else None

    def start_call(self, now: datetime) -> None:
        """Record the start of a call. While the circuit is open, further calls wait for its outcome."""
        if self._next_trial_at:
            self._next_trial_at = now + OPEN_DURATION

    def record_outage(self, now: datetime) -> None:
        self._outages += 1
        if self._outages >= FAILURE_THRESHOLD:
            self._next_trial_at = now + OPEN_DURATION

    def record_response(self) -> None:
        self._outages = 0
        self._next_trial_at = None
