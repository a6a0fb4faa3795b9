"""Views of events that journeys send to providers, and of workflows that they start."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from referrals.domain.field_docs import Described

TrackedEventState = Literal["pending", "sent", "failed", "dropped"]
WorkflowStartState = Literal["pending", "started", "failed", "dropped"]


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


@dataclass(frozen=True)
class WorkflowStart(Described):
    """A workflow of another application that a journey starts with its event."""

    id: str
    """Id of the workflow start."""
    campaign: str
    """Campaign whose journey starts the workflow."""
    referral: str | None
    """Referral that the event is about, if it is about one."""
    workflow: str
    """Id of the workflow at Temporal."""
    type: str
    """Type of the workflow."""
    task_queue: str
    """Task queue of its workers."""
    namespace: str | None
    """Temporal namespace; null is that of the engine."""
    state: WorkflowStartState
    """`failed` if Temporal refused it; `dropped` when an operator gave it up."""
    error: str | None
    """Why it was refused."""
    created_at: datetime
    """Time of the event."""
    completed_at: datetime | None
    """Time at which it was started, refused or dropped."""
