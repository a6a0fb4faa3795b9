"""What Temporal starts by itself, time and again."""

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
    # A run does all that is due: of those that were missed, one is enough.
    policy=SchedulePolicy(overlap=ScheduleOverlapPolicy.SKIP, catchup_window=timedelta(hours=1)),
)


async def ensure_schedules(client: Client) -> None:
    """Create or update the Schedule; workers may do so at once, and what an operator has paused stays paused."""
    try:
        await client.create_schedule(EXPIRY_ID, HOURLY)
    except ScheduleAlreadyRunningError:
        await client.get_schedule_handle(EXPIRY_ID).update(_as_it_should_be)


def _as_it_should_be(found: ScheduleUpdateInput) -> ScheduleUpdate | None:
    """Nothing, where nothing has changed: a pause that comes just now is not written over."""
    schedule = found.description.schedule
    if (schedule.spec, schedule.policy) == (HOURLY.spec, HOURLY.policy):
        return None
    return ScheduleUpdate(replace(HOURLY, state=schedule.state))
