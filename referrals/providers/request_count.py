"""Count the requests of one call to a provider, which may take several."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass


@dataclass
class RequestCount:
    requests: int = 0


_current: ContextVar[RequestCount | None] = ContextVar("request_count", default=None)


@contextmanager
def count_requests() -> Iterator[RequestCount]:
    """Count the requests that are sent inside the block, by this task and those that it starts."""
    count = RequestCount()
    token = _current.set(count)
    try:
        yield count
    finally:
        _current.reset(token)


def add_request() -> None:
    """Count one request for the surrounding `count_requests`, if there is one."""
    if count := _current.get():
        count.requests += 1
