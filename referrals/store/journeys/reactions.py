"""Reactions of running journeys to events: exit, or continue if they waited for the event."""

from datetime import datetime

from sqlalchemy import ColumnElement, bindparam, select

from referrals.domain.reasons import Reason
from referrals.store.activity.context import ReferralContext
from referrals.store.db.sql import Tx, literal_in, rows_of
from referrals.store.journeys import trace
from referrals.store.messaging import message_log
from referrals.store.schema import JourneyRunRow, MessageRow, journey_runs, messages
from referrals.store.schema.journeys import OPEN_RUN_STATES

_LISTENERS = (
    select(journey_runs)
    .where(
        journey_runs.c.advocate_id == bindparam("advocate_id"),
        literal_in(journey_runs.c.state, *OPEN_RUN_STATES),
    )
    .order_by(journey_runs.c.id)
)
_LISTENERS_OF_FRIEND = _LISTENERS.where(
    (journey_runs.c.friend_id == bindparam("friend_id")) | journey_runs.c.friend_id.is_(None)
)


async def handle_event(tx: Tx, context: ReferralContext, event_type: str) -> None:
    """End the runs that exit by this event, and record it for those that await it.

    An event of one friend does not affect journeys of another friend, but it affects those of the advocate.
    """
    listeners = _LISTENERS_OF_FRIEND if context.friend_id else _LISTENERS
    people = {"advocate_id": context.advocate.id}
    if context.friend_id:
        people |= {"friend_id": context.friend_id}
    for run in await rows_of(tx, JourneyRunRow, listeners, **people):
        this = journey_runs.c.id == run.id
        if event_type in run.exit_on:
            reason = Reason(event_type, f"The journey ends with {event_type}.")
            trace.record_exit(run, context, event_type)
            await end(tx, this, reason, context.now, notifier_id=context.sender_id)
        elif run.awaited_event == event_type:
            received = {"awaited_event_received": True, "notifier_workflow_id": context.sender_id}
            waiting = journey_runs.c.awaited_event == event_type
            await tx.execute(journey_runs.update().where(this, waiting).values(received))


async def end(
    tx: Tx,
    which: ColumnElement[bool],
    reason: Reason,
    now: datetime,
    *,
    notifier_id: str | None = None,
) -> None:
    """Exit the runs that are open. Their pending messages fail."""
    await tx.execute(
        journey_runs.update()
        .where(which, literal_in(journey_runs.c.state, *OPEN_RUN_STATES))
        .values(
            state="exited",
            reason_code=reason.code,
            reason=reason.message,
            ended_at=now,
            notifier_workflow_id=notifier_id,
        )
    )
    # Only now: the update waits for a step that runs at the same time, whose messages are visible after it.
    await _fail_messages(tx, which, reason, now)


async def _fail_messages(tx: Tx, which: ColumnElement[bool], reason: Reason, now: datetime) -> None:
    """Mark the pending messages of exited runs as failed."""
    exited = select(journey_runs.c.id).where(which, journey_runs.c.state == "exited")
    unsent = (
        messages.update()
        .where(messages.c.sender_id.in_(exited), literal_in(messages.c.state, "pending"))
        .values(
            state="failed", completed_at=now, reason_code="journey_exited", reason=reason.message
        )
    )
    failed = await rows_of(tx, MessageRow, unsent.returning(messages))
    exit_reason = Reason("journey_exited", reason.message)
    await message_log.write(tx, failed, "message_failed", now, reason=exit_reason)
