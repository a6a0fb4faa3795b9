"""Enter a journey when an event starts it."""

from referrals.domain.journey_interpreter import JourneyPosition
from referrals.domain.journeys import ReentryDelay
from referrals.store.db.columns import required
from referrals.store.db.sql import Tx, insert
from referrals.store.journeys import trace
from referrals.store.journeys.journey_entry import JourneyEntry
from referrals.store.journeys.steps import condition_holds, run_steps
from referrals.store.schema import journey_entries, journey_runs


async def enter(tx: Tx, entry: JourneyEntry) -> bool:
    """Enter the journey if its condition holds and it may be entered (again).

    Return whether a run was started: a journey that waits has a run, with a workflow of its own.
    """
    journey, now = entry.journey, entry.context.now
    if journey.when and not await condition_holds(tx, entry, lambda: required(journey.condition)):
        trace.record(entry, "does not start: {}", journey.when)
        return False
    if not await _may_enter(tx, entry):
        trace.record(entry, "does not start: it may not be entered again yet")
        return False
    trace.record(entry, "starts with {}", journey.on, started=True)
    if journey.has_waits:
        await _start_run(tx, entry)
    else:
        await run_steps(tx, entry, JourneyPosition(), sender_id=entry.context.sender_id, now=now)
    return journey.has_waits


async def _may_enter(tx: Tx, entry: JourneyEntry) -> bool:
    """Apply the journey's `reentry` in one statement on one row, so that only one of two simultaneous entries succeeds."""
    reentry = entry.journey.reentry
    if reentry in (None, "always"):
        return True
    now = entry.context.now
    statement = insert(tx, journey_entries).values(
        key=f"{entry.context.campaign.campaign}/{entry.journey.identity}/{entry.subject}",
        entered_at=now,
    )
    if isinstance(reentry, ReentryDelay):
        statement = statement.on_conflict_do_update(
            index_elements=["key"],
            set_={"entered_at": now},
            where=journey_entries.c.entered_at <= now - reentry.after,
        )
    else:
        statement = statement.on_conflict_do_nothing(index_elements=["key"])
    return (await tx.execute(statement.returning(journey_entries.c.key))).first() is not None


async def _start_run(tx: Tx, entry: JourneyEntry) -> None:
    context, position = entry.context, JourneyPosition()
    await tx.execute(
        insert(tx, journey_runs)
        .values(
            id=entry.run_id,
            key=entry.key("run"),
            campaign_id=context.campaign.campaign,
            version=context.version,
            journey=entry.journey.name,
            subject=entry.subject,
            activity_id=entry.activity_id,
            occurrence=entry.occurrence,
            advocate_id=context.advocate.id,
            friend_id=context.friend_id,
            referral_id=context.referral_id,
            milestone_id=context.milestone.id if context.milestone else None,
            reward_id=entry.reward.id if entry.reward else None,
            state="starting",
            step_index=position.step_index,
            awaited_event_received=position.awaited_event_received,
            exit_on=list(entry.journey.exit_on or ()),
            notifier_workflow_id=context.sender_id,
            started_at=context.now,
        )
        .on_conflict_do_nothing(index_elements=["key"])
    )
