"""What goes out by webhook, and when it is tried again."""

from dataclasses import dataclass
from datetime import timedelta

RETRY_DELAYS = tuple(
    timedelta(seconds=seconds)
    for seconds in (5, 300, 1_800, 7_200, 18_000, 36_000, 50_400, 72_000, 86_400)
)
"""Between the attempts of one delivery: 5 s, 5 min, 30 min, 2 h, 5 h, 10 h, 14 h, 20 h, 24 h; three days in all."""
JITTER = 0.2
"""By how much of itself a gap may be longer, so that what failed together does not come back together."""
DISABLE_AFTER = timedelta(days=3)
"""A webhook that has accepted nothing for so long is disabled when a delivery has no attempts left."""


@dataclass(frozen=True)
class DeliveryResponse:
    """What an endpoint made of one attempt; without a status there was no answer, and `error` says why."""

    status: int | None
    error: str | None = None
    retry_after: timedelta = timedelta(0)

    @property
    def accepted(self) -> bool:
        return self.status is not None and 200 <= self.status < 300  # noqa: PLR2004

    @property
    def gone(self) -> bool:
        """The endpoint wants no more, for ever."""
        return self.status == 410  # noqa: PLR2004


def next_retry_delay(attempts: int, answer: DeliveryResponse, chance: float) -> timedelta | None:
    """How long until the next attempt, after so many that failed; None when there is none.

    Args:
        attempts: At least one.
        answer: To the last one; it is not asked again before it said.
        chance: From 0 to 1, spreads the attempts.
    """
    if attempts > len(RETRY_DELAYS):
        return None
    return max(RETRY_DELAYS[attempts - 1] * (1 + JITTER * chance), answer.retry_after)
