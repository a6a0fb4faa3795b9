"""What goes out by webhook, and when it is tried again."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

GAPS = tuple(
    timedelta(seconds=seconds)
    for seconds in (5, 300, 1_800, 7_200, 18_000, 36_000, 50_400, 72_000, 86_400)
)
"""Between the attempts of one delivery: 5 s, 5 min, 30 min, 2 h, 5 h, 10 h, 14 h, 20 h, 24 h; three days in all."""
JITTER = 0.2
"""By how much of itself a gap may be longer, so that what failed together does not come back together."""
PERSISTENT = timedelta(days=3)
"""A webhook that has accepted nothing for so long is disabled when a delivery has no attempts left."""


@dataclass(frozen=True)
class Answer:
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


def wait(attempts: int, answer: Answer, chance: float) -> timedelta | None:
    """How long until the next attempt, after so many that failed; None when there is none.

    Args:
        attempts: At least one.
        answer: To the last one; it is not asked again before it said.
        chance: From 0 to 1, spreads the attempts.
    """
    if attempts > len(GAPS):
        return None
    return max(GAPS[attempts - 1] * (1 + JITTER * chance), answer.retry_after)


def cloud_event(
    event_id: str, source: str, kind: str, at: datetime, subject: str | None, data: Any
) -> dict[str, Any]:
    """A CloudEvent 1.0 in JSON; `subject` is whom it is about, where it is about anybody."""
    envelope = {
        "specversion": "1.0",
        "id": event_id,
        "source": source,
        "type": kind,
        "time": at.isoformat(),
        "datacontenttype": "application/json",
        "data": data,
    }
    return envelope | ({"subject": subject} if subject else {})


def check_url(url: str) -> str:
    """The address itself.

    Raises:
        ValueError: it is no plain http or https address, or holds credentials or a fragment.
    """
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("must be an address such as https://shop.example/hooks")
    if "@" in parts.netloc:
        raise ValueError("must not hold credentials: deliveries are signed instead")
    if parts.fragment or not url.isascii() or not url.isprintable() or " " in url or "\\" in url:
        raise ValueError("must be an address in ASCII without spaces and without a fragment")
    if parts.port == 0:
        raise ValueError("must not name port 0")
    return url


def lane(url: str) -> str:
    """Scheme, host and port: deliveries to one of these wait for each other, not for those to another."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.lower()}"
