"""Events that journeys send to providers: stored first, then sent, once for each key."""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement

from referrals.domain.failure_causes import Failure, FailureCause
from referrals.domain.tracking import TrackStep
from referrals.errors import NotPossibleError, UnknownTrackedEventError
from referrals.store.customers import profiles
from referrals.store.db.ids import new_id
from referrals.store.db.sql import Tx, change, find, get, insert, literal_in
from referrals.store.journeys import advocate_resumption
from referrals.store.journeys.journey_entry import JourneyEntry
from referrals.store.rewards.provider_rewards import (
    ATTEMPTS_EXHAUSTED,
    NotVisibleYet,
    Superseded,
)
from referrals.store.rewards.reward_rows import NO_ERROR, error_values
from referrals.store.schema import TrackedEventRow, tracked_events


@dataclass(frozen=True)
class TrackingTask:
    """An event to send; `customer` is the external id of the customer whose event it is."""

    row: TrackedEventRow
    customer: str

    @property
    def provider(self) -> str:
        return self.row.provider

    @property
    def turn_at(self) -> datetime | None:
        return self.row.turn_at

    @property
    def repeated(self) -> bool:
        """Return whether an earlier attempt called the provider."""
        return self.row.last_called_at is not None


async def add(
    tx: Tx,
    entry: JourneyEntry,
    step: TrackStep,
    *,
    key: str,
    attributes: dict[str, Any],
    sender_id: str,
    now: datetime,
) -> None:
    """Store an event that the workflow `sender_id` then sends, once for each key."""
    context, customer_id = entry.context, entry.customer_of(step.to)
    if customer_id is None:
        return
    await tx.execute(
        insert(tx, tracked_events)
        .values(
            id=new_id("trk"),
            key=key,
            campaign_id=context.campaign.campaign,
            advocate_id=context.advocate.id,
            referral_id=context.referral_id,
            customer_id=customer_id,
            sender_id=sender_id,
            provider=step.provider,
            event=step.event,
            attributes=attributes,
            state="pending",
            created_at=now,
        )
        .on_conflict_do_nothing(index_elements=["key"])
    )


async def begin(tx: Tx, event_id: str, now: datetime) -> TrackingTask | None:
    """Lock the event and return it if it has to be sent.

    Raises:
        NotVisibleYet: an earlier request may still become visible.
    """
    row = await get(tx, tracked_events, lock=True, id=event_id)
    if row.state != "pending":
        return None
    if row.outcome_unknown_until and row.outcome_unknown_until > now:
        raise NotVisibleYet(row.outcome_unknown_until - now)
    return TrackingTask(row, (await profiles.get(tx, row.customer_id)).external_id)


async def start_attempt(tx: Tx, task: TrackingTask) -> TrackingTask:
    """Count the attempt that starts now."""
    row = task.row
    await change(tx, tracked_events, row.id, attempts=row.attempts + 1, turn_at=None)
    return replace(task, row=await get(tx, tracked_events, id=row.id))


async def wait_for_turn(
    tx: Tx, task: TrackingTask, turn_at: datetime, failure: Failure | None
) -> None:
    """Keep the turn that the event waits for; `failure` says why, if the provider does not respond."""
    values = error_values(failure) if failure and task.row.error is None else {}
    await change(tx, tracked_events, task.row.id, turn_at=turn_at, retry_at=turn_at, **values)


async def mark_call_started(tx: Tx, task: TrackingTask, now: datetime, until: datetime) -> None:
    """Record a call that starts now; until `until`, the provider may not show its outcome.

    Raises:
        Superseded: a later attempt is sending the event.
    """
    own = tracked_events.update().where(
        tracked_events.c.id == task.row.id,
        literal_in(tracked_events.c.state, "pending"),
        tracked_events.c.attempts == task.row.attempts,
    )
    if not (await tx.execute(own.values(last_called_at=now, outcome_unknown_until=until))).rowcount:
        raise Superseded


async def mark_outcome_unknown(tx: Tx, event_id: str, until: datetime | None) -> None:
    """Record when the provider shows the outcome of the last call; None means that it did not arrive."""
    await change(tx, tracked_events, event_id, outcome_unknown_until=until)


async def mark_sent(tx: Tx, event_id: str, now: datetime) -> None:
    done = NO_ERROR | {"outcome_unknown_until": None, "completed_at": now}
    await change(tx, tracked_events, event_id, state="sent", **done)


async def record_error(tx: Tx, event_id: str, failure: Failure, retry_at: datetime) -> None:
    """Record the error of the last attempt, and when the next attempt starts."""
    await change(tx, tracked_events, event_id, retry_at=retry_at, **error_values(failure))


async def mark_failed(tx: Tx, event_id: str, failure: Failure, now: datetime) -> None:
    """Mark a pending event as failed: an operator has to retry or drop it."""
    failed = tracked_events.update().where(
        tracked_events.c.id == event_id, literal_in(tracked_events.c.state, "pending")
    )
    values = NO_ERROR | error_values(failure)
    await tx.execute(failed.values(state="failed", completed_at=now, **values))


async def mark_exhausted(tx: Tx, event_id: str, message: str, now: datetime) -> None:
    """Mark the event as failed because all attempts are used up; the cause is that of the last error."""
    row = await get(tx, tracked_events, id=event_id)
    cause = FailureCause(row.failure_cause or FailureCause.OUTAGE)
    await mark_failed(tx, event_id, Failure(ATTEMPTS_EXHAUSTED, message, cause), now)


async def retry(tx: Tx, which: ColumnElement[bool], actor: str, now: datetime) -> int:
    """Send failed events again, by the workflow of their advocate. Return how many there are."""
    waiting = NO_ERROR | {"state": "pending", "completed_at": None}
    again = tracked_events.update().where(which, literal_in(tracked_events.c.state, "failed"))
    return await advocate_resumption.hand_over(
        tx, tracked_events, again.values(waiting), actor, now
    )


async def retry_one(tx: Tx, event_id: str, actor: str, now: datetime) -> None:
    """Send one failed event again.

    Raises:
        UnknownTrackedEventError, NotPossibleError.
    """
    if not await retry(tx, tracked_events.c.id == event_id, actor, now):
        await _refuse(tx, event_id)


async def drop(tx: Tx, event_id: str, now: datetime) -> None:
    """Give a failed event up.

    Raises:
        UnknownTrackedEventError, NotPossibleError.
    """
    failed = tracked_events.update().where(
        tracked_events.c.id == event_id, literal_in(tracked_events.c.state, "failed")
    )
    if not (await tx.execute(failed.values(state="dropped", completed_at=now))).rowcount:
        await _refuse(tx, event_id)


async def _refuse(tx: Tx, event_id: str) -> None:
    row = await find(tx, tracked_events, id=event_id)
    if row is None:
        raise UnknownTrackedEventError(event_id)
    raise NotPossibleError(f"The event is {row.state}, not failed.")


def of_campaign(campaign_id: str, cause: FailureCause | None) -> ColumnElement[bool]:
    """Return the condition of the campaign's events whose last error has the cause."""
    of = tracked_events.c.campaign_id == campaign_id
    return of & (tracked_events.c.failure_cause == cause) if cause else of
