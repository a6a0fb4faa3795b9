"""Time limits and retry policies of the activities that workflows call."""

from datetime import timedelta
from typing import Any

from temporalio.common import RetryPolicy

from referrals.temporal.names import MESSAGES_QUEUE, REWARDS_QUEUE

DECISION_OPTIONS: dict[str, Any] = {
    "start_to_close_timeout": timedelta(seconds=30),
    "schedule_to_close_timeout": timedelta(minutes=2),
    "retry_policy": RetryPolicy(
        initial_interval=timedelta(milliseconds=200),
        maximum_interval=timedelta(seconds=5),
        non_retryable_error_types=["WorkflowMovedError"],
    ),
}
"""Options of decisions on the engine's own database, for which a caller waits. If the database is down for longer, the
caller's update fails and its event stays queued."""

REWARD_OPTIONS: dict[str, Any] = {
    "task_queue": REWARDS_QUEUE,
    "start_to_close_timeout": timedelta(minutes=4),
    "schedule_to_close_timeout": timedelta(days=3),
    "retry_policy": RetryPolicy(maximum_interval=timedelta(minutes=1)),
}
"""Options of calls to reward providers. A provider may be down for three days before its rewards fail. The activity chooses the
delay before its next attempt; the policy only applies when a worker has crashed."""

MESSAGE_OPTIONS: dict[str, Any] = {
    "task_queue": MESSAGES_QUEUE,
    "start_to_close_timeout": timedelta(minutes=1),
    "schedule_to_close_timeout": timedelta(days=1),
    "retry_policy": RetryPolicy(maximum_interval=timedelta(minutes=30)),
}
"""Options of messages that leave the process."""

SHORT_ACTIVITY_OPTIONS: dict[str, Any] = {
    "start_to_close_timeout": timedelta(seconds=10),
    "schedule_to_close_timeout": timedelta(days=30),
    "retry_policy": RetryPolicy(maximum_interval=timedelta(minutes=5)),
}
"""Options of short database updates and notifications that nobody waits for."""

EXPIRY_OPTIONS: dict[str, Any] = {
    "start_to_close_timeout": timedelta(minutes=1),
    "schedule_to_close_timeout": timedelta(hours=6),
    "retry_policy": RetryPolicy(maximum_interval=timedelta(minutes=5)),
}
"""Options of batches of expired points. The next scheduled run takes up whatever a failed run leaves."""

DATABASE_RETRY_DELAY = timedelta(minutes=1)
"""Delay between attempts of a decision that nobody waits for, while the database is down."""

MIN_MESSAGE_DELAY = timedelta(seconds=1)
"""Minimum delay before a waiting message is attempted again; it absorbs small differences between clocks."""

MAX_UPDATES_PER_RUN = 1500
"""Number of updates after which a run continues as new. The server accepts 2,000 per run."""
