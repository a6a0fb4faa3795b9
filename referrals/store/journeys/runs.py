"""Runs of journeys that wait: each wake-up is one transaction, and what it leads to is read from SQL alone."""

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Row, func, select

from referrals.domain.campaign import Campaign
from referrals.domain.journey_interpreter import JourneyPlan, JourneyPosition, wake_up
from referrals.domain.journeys import Journey
from referrals.domain.reasons import Reason
from referrals.store import lookups
from referrals.store.activity.log import Scene
from referrals.store.campaigns import versions
from referrals.store.campaigns.versions import CampaignInForce
from referrals.store.db.sql import Tx, first, locked, one, rows, scalars, written
from referrals.store.inbox import inbox_events
from referrals.store.journeys.reactions import OPEN, end
from referrals.store.journeys.steps import Entrant, take_steps
from referrals.store.schema import journey_runs, milestones, rewards, workflow_starts
from referrals.temporal.names import journey_workflow_id

RESUMED_PER_SECOND = 10
"""Of the runs that a paused campaign holds: nobody's channel is flooded when it is activated."""
WAKE = "journey_wake"
ARCHIVED = Reason("campaign_archived", "The campaign was archived.")
MADE = ("referral_converted", "referral_held", "reward_pending")
"""What is recorded as a conversion is made, before it may be taken back at once."""


async def get(tx: Tx, run_id: str) -> Row[Any]:
    return await one(tx, _of(run_id))


def workflow_id(run: Row[Any]) -> str:
    return journey_workflow_id(run.journey, run.subject, run.id)


async def go_on(tx: Tx, run_id: str, now: datetime) -> None:
    """Take the steps that are due by `now`: none while the campaign is paused, none after an exit."""
    begun = await get(tx, run_id)
    campaign = await versions.at_version(tx, begun.campaign_id, begun.version)
    grants = _journey(campaign, begun).has_grants
    if grants:  # a decision has locked both when it comes to the run
        await lookups.lock_advocate(tx, begun.advocate_id)
    found = await _campaign(tx, begun.campaign_id, lock=grants)
    run = await one(tx, locked(_of(run_id)))
    await _set(tx, run, notifier_workflow_id=None)
    if run.state not in OPEN:
        return
    if found.state == "archived":
        await end(tx, journey_runs.c.id == run_id, ARCHIVED, now)
    elif found.state == "paused":
        await _set(tx, run, state="held")
    else:
        await _advance(tx, campaign, run, now)


async def _advance(tx: Tx, campaign: Campaign, run: Row[Any], now: datetime) -> None:
    entrant = await _entrant(tx, campaign, run, now)
    position = JourneyPosition(
        run.step_index, run.wake_at, run.awaited_event, run.awaited_event_received
    )
    plan = JourneyPlan(entrant.journey)
    if position.wake_at and (planned := plan.step_at(position)):
        position = wake_up(position, planned, now)
    if position.wake_at is None:
        position = await take_steps(tx, entrant, position, sender_id=run.id, now=now)
    over = plan.step_at(position) is None
    await _set(
        tx,
        run,
        journey_runs.c.state.in_(OPEN),  # what it grants may be an event by which it exits
        state="done" if over else "running",
        step_index=position.step_index,
        wake_at=position.wake_at,
        awaited_event=position.awaited_event,
        awaited_event_received=position.awaited_event_received,
        ended_at=now if over else None,
    )


async def _campaign(tx: Tx, campaign_id: str, *, lock: bool) -> CampaignInForce:
    """As it is now; where it is paused, or with `lock`, it stays so until this transaction ends.

    Otherwise an activation could come between, and leave behind a run that nobody wakes.
    """
    found = await versions.in_force(tx, campaign_id, lock=lock)
    if found and found.state == "paused" and not lock:
        found = await versions.in_force(tx, campaign_id, lock=True)
    assert found is not None
    return found


async def _entrant(tx: Tx, campaign: Campaign, run: Row[Any], now: datetime) -> Entrant:
    """As it entered, under the definition that was in force then; people and counts as they are now."""
    scene = Scene(
        campaign,
        run.version,
        await lookups.get_advocate(tx, run.advocate_id),
        "engine",
        now,
        referral_id=run.referral_id,
        friend_id=run.friend_id,
        milestone=await _row(tx, milestones, run.milestone_id),
    )
    reward = await _row(tx, rewards, run.reward_id)
    return Entrant(scene, _journey(campaign, run), run.event, reward, run.occurrence)


def _journey(campaign: Campaign, run: Row[Any]) -> Journey:
    return next(journey for journey in campaign.journeys if journey.name == run.journey)


async def campaign_changed(tx: Tx, campaign_id: str, state: str, actor: str, now: datetime) -> None:
    """An activated campaign's held runs go on, one after another; an archived campaign's are over.

    The campaign is locked. Their workflows are told by commands that are drained at a bounded rate.
    """
    states = {"running": ("held",), "archived": OPEN}.get(state, ())
    mine = journey_runs.c.campaign_id == campaign_id
    waiting = select(journey_runs.c.id).where(mine, journey_runs.c.state.in_(states))
    found = await scalars(tx, waiting.order_by(journey_runs.c.started_at, journey_runs.c.id))
    if state == "archived":
        await end(tx, mine, ARCHIVED, now)
    wakes = [
        {
            "campaign_id": campaign_id,
            "data": {"run": run_id},
            "retry_at": now + timedelta(seconds=place / RESUMED_PER_SECOND),
        }
        for place, run_id in enumerate(found)
    ]
    await inbox_events.queue_commands(tx, WAKE, actor, now, wakes)


async def withdraw(tx: Tx, referral_id: str, now: datetime) -> None:
    """No journey is begun, and no workflow started, for a conversion that is taken back as it is made.

    Those for its roll-back are recorded in the same decision, and stay.
    """
    for table, begun in ((journey_runs, "starting"), (workflow_starts, "pending")):
        mine = (table.c.referral_id == referral_id) & (table.c.state == begun)
        for row in await rows(tx, select(table.c.id, table.c.event).where(mine)):
            if row.event["type"] in MADE and row.event["time"] == now.isoformat():
                await tx.execute(table.delete().where(table.c.id == row.id))


async def under_older_versions(tx: Tx, campaign_id: str, version: int) -> int:
    """How many runs go on by a definition that is not in force any more."""
    statement = select(func.count()).where(
        journey_runs.c.campaign_id == campaign_id,
        written(journey_runs.c.state, *OPEN),
        journey_runs.c.version < version,
    )
    return int((await one(tx, statement))[0])


def _of(run_id: str) -> Any:
    return select(journey_runs).where(journey_runs.c.id == run_id)


async def _set(tx: Tx, run: Row[Any], *where: ColumnElement[bool], **values: Any) -> None:
    this = journey_runs.update().where(journey_runs.c.id == run.id, *where)
    await tx.execute(this.values(values))


async def _row(tx: Tx, table: Any, row_id: str | None) -> Row[Any] | None:
    return await first(tx, select(table).where(table.c.id == row_id)) if row_id else None
