"""Views of events that journeys send to providers, and of workflows that they start."""

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, Literal, get_args

from referrals.domain.failure_causes import FailureCause
from referrals.domain.field_docs import Described
from referrals.domain.tracking import EventProvider
from referrals.store.views.common import one_of

TrackedEventState = Literal["pending", "sent", "failed", "dropped"]
WorkflowStartState = Literal["pending", "started", "failed", "dropped"]


@dataclass(frozen=True)
class TrackedEvent(Described):
    """An event that a journey sends to a provider; `event` is its name there, `customer` whose event it is."""

    id: str
    """Id of the tracked event."""
    key: str
    """Idempotency key that the provider gets."""
    campaign: str
    """Slug of the campaign."""
    referral: str | None
    """Id of the referral."""
    customer: str
    """The caller's id of the customer whose event it is."""
    provider: Annotated[str, one_of(get_args(EventProvider))]
    """Provider that gets it."""
    event: str
    """Name of the event at the provider."""
    attributes: dict[str, Any]
    """Attributes of the event."""
    state: Annotated[str, one_of(get_args(TrackedEventState))]
    """Current state."""
    attempts: int
    """Number of attempts so far."""
    error: str | None
    """Error of the last attempt, as `code: message`."""
    cause: Annotated[str, one_of(FailureCause)] | None
    """Group of the error, by what has to be corrected before a retry."""
    retry_at: datetime | None
    """Time of the next attempt."""
    created_at: datetime
    """Time at which it was created."""
    completed_at: datetime | None
    """Time at which it was done or given up."""


@dataclass(frozen=True)
class RetriedEvents(Described):
    """Number of failed events that are sent again."""

    retried: int
    """Number of events."""


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
