"""Refused requests."""

from dataclasses import dataclass
from datetime import date, datetime

from referrals.domain.field_docs import Described


@dataclass(frozen=True)
class Refusal(Described):
    """Number of requests of one day that were refused for one reason."""

    day: date
    """Day, in UTC."""
    caller: str
    """Name of the API key."""
    source: str | None
    """Source of the event."""
    type: str
    """Problem type; `docs/errors.md` lists them."""
    status: int
    """HTTP status."""
    field: str | None
    """First field at fault."""
    count: int
    """Number of requests."""
    last_at: datetime
    """Time of the last one."""
