"""The hourly look for grants whose time is over."""

from datetime import timedelta
from typing import Any

from temporalio import workflow
from temporalio.common import RetryPolicy

with workflow.unsafe.imports_passed_through():
    from activities.expiry import ExpiryActivities
    from referrals.temporal.names import EXPIRY_WORKFLOW

CHUNK: dict[str, Any] = {
    "start_to_close_timeout": timedelta(minutes=1),
    "schedule_to_close_timeout": timedelta(hours=6),
    "retry_policy": RetryPolicy(maximum_interval=timedelta(minutes=5)),
}
"""Nobody waits for it: while the database is away it is tried again. What a run that fails leaves, the next one finds."""


@workflow.defn(name=EXPIRY_WORKFLOW)
class ExpiryWorkflow:
    """Books what expired, chunk by chunk until nothing is due; started by a Schedule."""

    @workflow.run
    async def run(self) -> None:
        while await workflow.execute_activity_method(
            ExpiryActivities.expire, workflow.now(), **CHUNK
        ):
            if workflow.info().is_continue_as_new_suggested():
                workflow.continue_as_new()
