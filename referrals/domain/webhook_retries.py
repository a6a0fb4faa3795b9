"""Retry schedule of webhook deliveries."""

from dataclasses import dataclass
from datetime import timedelta

RETRY_DELAYS = tuple(
    timedelta(seconds=seconds)
    for seconds in (5, 300, 1_800, 7_200, 18_000, 36_000, 50_400, 72_000, 86_400)
)
"""Delays between the attempts of a delivery: 5 s, 5 min, 30 min, 2 h, 5 h, 10 h, 14 h, 20 h, 24 h; about three days."""
JITTER = 0.2
"""Maximum fraction that is added to a delay, so that deliveries that failed together are not retried together."""
DISABLE_AFTER = timedelta(days=3)
"""A webhook without an accepted delivery for this long is disabled when a delivery runs out of attempts."""


@dataclass(frozen=True)
class DeliveryResponse:
    """Result of one delivery attempt. Without a status there was no response, and `error` is the reason."""

    status: int | None
    error: str | None = None
    retry_after: timedelta = timedelta(0)

    @property
    def accepted(self) -> bool:
        return self.status is not None and 200 <= self.status < 300  # noqa: PLR2004

    @property
    def gone(self) -> bool:
        """True if the endpoint permanently refuses deliveries."""
        return self.status == 410  # noqa: PLR2004


def next_retry_delay(attempts: int, response: DeliveryResponse, jitter: float) -> timedelta | None:
    """Return the delay before the next attempt, or None if no attempt is left.

    Args:
        attempts: Number of failed attempts, at least 1.
        response: Result of the last attempt. Its `retry_after` is a lower bound of the delay.
        jitter: Random number from 0 to 1 that spreads the attempts.
    """
    if attempts > len(RETRY_DELAYS):
        return None
    return max(RETRY_DELAYS[attempts - 1] * (1 + JITTER * jitter), response.retry_after)
