"""Attempts of activities in a simulation: the worker's own functions, run in this process."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from temporalio import activity
from temporalio.api.common.v1 import ActivityType, Payload
from temporalio.api.failure.v1 import ActivityFailureInfo, Failure
from temporalio.bridge.proto.activity_result import ActivityResolution, Success
from temporalio.bridge.proto.activity_result import Failure as ActivityFailure
from temporalio.bridge.proto.workflow_commands import ScheduleActivity, ScheduleLocalActivity
from temporalio.client import Client
from temporalio.common import RetryPolicy
from temporalio.testing import ActivityEnvironment

from simulation.errors import SimulationError

MAX_DOUBLINGS = 20
"""Number of attempts after which the delay between them no longer grows."""

Command = ScheduleActivity | ScheduleLocalActivity


@dataclass(frozen=True)
class Attempt:
    """One attempt of an activity that a workflow has scheduled."""

    workflow_id: str
    command: Command
    scheduled_at: datetime
    number: int = 1

    def next(self) -> "Attempt":
        return replace(self, number=self.number + 1)


@dataclass(frozen=True)
class Retry:
    """Outcome of an attempt that failed and may be repeated after the delay."""

    delay: timedelta
    failure: Failure


class ActivityRunner:
    """Runs activities by their names; `client` is the one that they reach workflows with."""

    def __init__(self, client: Client, functions: Iterable[Callable[..., Any]]) -> None:
        self._activities = {str(_definition(each).name): each for each in functions}
        self._client = client
        self._converter = client.data_converter

    async def run(self, attempt: Attempt, now: datetime) -> ActivityResolution | Retry:
        """Run one attempt. Its result is the activity's unless it failed and is to be repeated."""
        function = self._activities[attempt.command.activity_type]
        environment = ActivityEnvironment(self._client)
        environment.info = replace(
            environment.info,
            activity_type=attempt.command.activity_type,
            attempt=attempt.number,
            workflow_id=attempt.workflow_id,
        )
        arguments = self._converter.payload_converter.from_payloads(
            attempt.command.arguments, _definition(function).arg_types
        )
        try:
            result = await environment.run(function, *arguments)
        except SimulationError:
            raise
        except Exception as error:  # noqa: BLE001 - becomes the activity's failure
            return self._failed(attempt, error, now)
        return ActivityResolution(completed=Success(result=self._payload(result)))

    def _payload(self, value: Any) -> Payload:
        payloads: Sequence[Payload] = self._converter.payload_converter.to_payloads([value])
        return payloads[0]

    def _failed(
        self, attempt: Attempt, error: Exception, now: datetime
    ) -> ActivityResolution | Retry:
        failure = Failure()
        self._converter.failure_converter.to_failure(
            error, self._converter.payload_converter, failure
        )
        delay = _retry_delay(attempt, failure)
        ends_at = attempt.scheduled_at + attempt.command.schedule_to_close_timeout.ToTimedelta()
        if delay is not None and now + delay < ends_at:
            return Retry(delay, failure)
        info = ActivityFailureInfo(activity_type=ActivityType(name=attempt.command.activity_type))
        wrapped = Failure(message="Activity task failed", cause=failure, activity_failure_info=info)
        return ActivityResolution(failed=ActivityFailure(failure=wrapped))


def _definition(function: Callable[..., Any]) -> activity._Definition:
    return activity._Definition.must_from_callable(function)  # noqa: SLF001


def _retry_delay(attempt: Attempt, failure: Failure) -> timedelta | None:
    """Return the delay that the activity asks for, or that of the policy; None if a retry changes nothing."""
    policy = RetryPolicy.from_proto(attempt.command.retry_policy)
    info = failure.application_failure_info
    if info.non_retryable or info.type in (policy.non_retryable_error_types or ()):
        return None
    if info.HasField("next_retry_delay"):
        return info.next_retry_delay.ToTimedelta()
    factor = policy.backoff_coefficient ** min(attempt.number - 1, MAX_DOUBLINGS)
    delay = policy.initial_interval * factor
    return min(delay, policy.maximum_interval) if policy.maximum_interval else delay
