"""Views of events that journeys send to providers."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from referrals.domain.field_docs import Described

TrackedEventState = Literal["pending", "sent", "failed", "dropped"]


@dataclass(frozen=True)
class TrackedEvent(Described):
    """An event that a journey sends to a provider; `event` is its name there, `customer` whose event it is."""

    id: str
    key: str
    campaign: str
    referral: str | None
    customer: str
    provider: str
    event: str
    attributes: dict[str, Any]
    state: str
    attempts: int
    error: str | None
    cause: str | None
    retry_at: datetime | None
    created_at: datetime
    completed_at: datetime | None


@dataclass(frozen=True)
class RetriedEvents(Described):
    """Number of failed events that are sent again."""

    retried: int
