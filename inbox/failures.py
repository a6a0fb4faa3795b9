"""Classification of errors that interrupt the processing of an event."""

from temporalio.client import (
    RPCError,
    WorkflowUpdateFailedError,
    WorkflowUpdateRPCTimeoutOrCancelledError,
)
from temporalio.exceptions import ApplicationError, FailureError
from temporalio.service import RPCStatusCode

from referrals.errors import NotPossibleError, NotPublishedError, RefusedError

REFUSALS: dict[str, type[RefusedError]] = {
    "NotPossible": NotPossibleError,
    "NotPublished": NotPublishedError,
}
"""Errors by the type that decisions give their ApplicationError."""

OUTAGE_STATUSES = {
    RPCStatusCode.UNAVAILABLE,
    RPCStatusCode.DEADLINE_EXCEEDED,
    RPCStatusCode.CANCELLED,
    RPCStatusCode.RESOURCE_EXHAUSTED,
}


def is_outage(error: Exception) -> bool:
    """Return whether Temporal or its workers are down or busy, so that the event itself is not at fault."""
    if isinstance(error, RPCError):
        return error.status in OUTAGE_STATUSES
    return isinstance(
        error, TimeoutError | ConnectionError | WorkflowUpdateRPCTimeoutOrCancelledError
    )


def as_refusal(error: WorkflowUpdateFailedError) -> RefusedError | None:
    """Return the refusal that made the update fail, if it was one."""
    cause: BaseException | None = error
    while isinstance(cause, FailureError | WorkflowUpdateFailedError):
        if isinstance(cause, ApplicationError) and cause.type in REFUSALS:
            return REFUSALS[cause.type](cause.message, next(iter(cause.details), None))
        cause = cause.cause
    return None


def root_cause(error: BaseException) -> BaseException:
    while error.__cause__:
        error = error.__cause__
    return error
