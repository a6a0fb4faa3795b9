"""What events mean to journeys that are under way: some end by them, some go on."""

from datetime import datetime
from typing import TYPE_CHECKING

from sqlalchemy import ColumnElement, bindparam, exists, select

from referrals.domain.reasons import Reason
from referrals.store.db.sql import Tx, rows, written
from referrals.store.schema import activity, journey_runs, messages

if TYPE_CHECKING:
    from referrals.store.activity.log import Scene

OPEN = ("held", "running", "starting")


_LISTENING = (
    select(journey_runs)
    .where(
        journey_runs.c.advocate_id == bindparam("advocate_id"), written(journey_runs.c.state, *OPEN)
    )
    .order_by(journey_runs.c.id)
)
_LISTENING_TO_FRIEND = _LISTENING.where(
    (journey_runs.c.friend_id == bindparam("friend_id")) | journey_runs.c.friend_id.is_(None)
)


ANYBODY = (
    exists()
    .where(
        journey_runs.c.advocate_id == bindparam("heard_of"), written(journey_runs.c.state, *OPEN)
    )
    .label("anybody")
)
"""Whether any run of the advocate `heard_of` may listen: mostly none does."""


async def hear(tx: Tx, scene: "Scene", event: str) -> None:
    """Runs that exit by this event are over from here on; those that await it may go on.

    An event of one friend is none of another friend's journeys; it is one of the advocate's own.
    """
    listening = _LISTENING_TO_FRIEND if scene.friend_id else _LISTENING
    who = {"advocate_id": scene.advocate.id} | (
        {"friend_id": scene.friend_id} if scene.friend_id else {}
    )
    for run in await rows(tx, listening, **who):
        this = journey_runs.c.id == run.id
        if event in run.exit_on:
            why = Reason(event, f"The journey ends with {event}.")
            await end(tx, this, why, scene.now, notifier_workflow_id=scene.sender_id)
        elif run.awaited_event == event:
            told = {"awaited_event_received": True, "notifier_workflow_id": scene.sender_id}
            here = journey_runs.c.awaited_event == event
            await tx.execute(journey_runs.update().where(this, here).values(told))


async def end(
    tx: Tx,
    which: ColumnElement[bool],
    why: Reason,
    now: datetime,
    *,
    notifier_workflow_id: str | None = None,
) -> None:
    """Exit those runs that are not over; what they have not sent yet is not sent any more."""
    await tx.execute(
        journey_runs.update()
        .where(which, written(journey_runs.c.state, *OPEN))
        .values(
            state="exited",
            reason_code=why.code,
            reason=why.message,
            ended_at=now,
            notifier_workflow_id=notifier_workflow_id,
        )
    )
    # Only now: a step that was being taken has been waited for, and its messages are there to be seen.
    await _withdraw(tx, which, why, now)


async def _withdraw(tx: Tx, which: ColumnElement[bool], why: Reason, now: datetime) -> None:
    ended = select(journey_runs.c.id).where(which, journey_runs.c.state == "exited")
    unsent = (
        messages.update()
        .where(messages.c.sender_id.in_(ended), written(messages.c.state, "pending"))
        .values(state="failed", completed_at=now, reason_code="journey_exited", reason=why.message)
    )
    for message in (await tx.execute(unsent.returning(messages))).all():
        await tx.execute(
            activity.insert().values(
                type="message_failed",
                at=now,
                actor="engine",
                campaign_id=message.campaign_id,
                advocate_id=message.advocate_id,
                referral_id=message.referral_id,
                milestone_id=message.milestone_id,
                reward_id=message.reward_id,
                customer_id=message.customer_id,
                reason_code="journey_exited",
                reason=why.message,
                data={"message": message.id, "template": message.template, "channel": None},
            )
        )
