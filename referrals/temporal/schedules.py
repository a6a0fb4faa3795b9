"""Schedules of periodic workflows."""

from dataclasses import replace
from datetime import timedelta

from temporalio.client import (
    Client,
    Schedule,
    ScheduleActionStartWorkflow,
    ScheduleAlreadyRunningError,
    ScheduleIntervalSpec,
    ScheduleOverlapPolicy,
    SchedulePolicy,
    ScheduleSpec,
    ScheduleUpdate,
    ScheduleUpdateInput,
)

from referrals.temporal.names import EXPIRY_ID, EXPIRY_WORKFLOW, QUEUE

HOURLY = Schedule(
    action=ScheduleActionStartWorkflow(EXPIRY_WORKFLOW, id=EXPIRY_ID, task_queue=QUEUE),
    spec=ScheduleSpec(
        intervals=[ScheduleIntervalSpec(every=timedelta(hours=1))], jitter=timedelta(minutes=10)
    ),
    # A run does all that is due, so one of several missed runs is enough.
    policy=SchedulePolicy(overlap=ScheduleOverlapPolicy.SKIP, catchup_window=timedelta(hours=1)),
)


async def ensure_schedules(client: Client) -> None:
    """Create or update the Schedule. Several workers may do so at once. A Schedule that an operator paused stays paused."""
    try:
        await client.create_schedule(EXPIRY_ID, HOURLY)
    except ScheduleAlreadyRunningError:
        await client.get_schedule_handle(EXPIRY_ID).update(_changed_schedule)


def _changed_schedule(current: ScheduleUpdateInput) -> ScheduleUpdate | None:
    """Return None if nothing has changed, so that a concurrent pause is not overwritten."""
    schedule = current.description.schedule
    if (schedule.spec, schedule.policy) == (HOURLY.spec, HOURLY.policy):
        return None
    return ScheduleUpdate(replace(HOURLY, state=schedule.state))
