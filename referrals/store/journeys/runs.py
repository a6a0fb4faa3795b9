"""Runs of journeys that wait. Each wake-up is one transaction."""

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import func, select

from referrals.domain.actors import SYSTEM_ACTOR
from referrals.domain.campaign import Campaign
from referrals.domain.journey_interpreter import JourneyPlan, JourneyPosition, wake_up
from referrals.domain.journeys import Journey
from referrals.domain.reasons import Reason
from referrals.store import lookups
from referrals.store.activity.context import ReferralContext
from referrals.store.campaigns import versions
from referrals.store.campaigns.versions import CampaignInForce
from referrals.store.db import sql
from referrals.store.db.sql import Tx, find, literal_in, one, scalars
from referrals.store.inbox import inbox_events
from referrals.store.journeys.journey_entry import JourneyEntry
from referrals.store.journeys.reactions import end
from referrals.store.journeys.steps import run_steps
from referrals.store.schema import JourneyRunRow, journey_runs, milestones, rewards
from referrals.store.schema.journeys import OPEN_RUN_STATES
from referrals.temporal.names import journey_workflow_id

RESUMED_RUNS_PER_SECOND = 10
"""Rate at which an activated campaign's runs resume, so that no channel is flooded."""
WAKE_COMMAND = "journey_wake"
"""Command that wakes the workflow of a run."""
ARCHIVED = Reason("campaign_archived", "The campaign was archived.")


async def get(tx: Tx, run_id: str) -> JourneyRunRow:
    return await sql.get(tx, journey_runs, id=run_id)


def workflow_id(run: JourneyRunRow) -> str:
    return journey_workflow_id(run.journey, run.subject, run.id)


async def advance(tx: Tx, run_id: str, now: datetime) -> None:
    """Run the steps that are due by `now`; none while the campaign is paused, and none after an exit."""
    entered = await get(tx, run_id)
    campaign = await versions.get_version(tx, entered.campaign_id, entered.version)
    grants = _journey(campaign, entered).has_grants
    if grants:  # decisions lock both before they reach the run
        await lookups.lock_advocate(tx, entered.advocate_id)
    found = await _campaign(tx, entered.campaign_id, lock=grants)
    run = await sql.get(tx, journey_runs, lock=True, id=run_id)
    await _set(tx, run, notifier_workflow_id=None)
    if run.state not in OPEN_RUN_STATES:
        return
    if found.state == "archived":
        await end(tx, journey_runs.c.id == run_id, ARCHIVED, now)
    elif found.state == "paused":
        await _set(tx, run, state="held")
    else:
        await _advance(tx, campaign, run, now)


async def _advance(tx: Tx, campaign: Campaign, run: JourneyRunRow, now: datetime) -> None:
    entry = await _entry(tx, campaign, run, now)
    position = JourneyPosition(
        run.step_index, run.wake_at, run.awaited_event, run.awaited_event_received
    )
    plan = JourneyPlan(entry.journey)
    if position.wake_at and (planned := plan.step_at(position)):
        position = wake_up(position, planned, now)
    if position.wake_at is None:
        position = await run_steps(tx, entry, position, sender_id=run.id, now=now)
    over = plan.step_at(position) is None
    await _set(
        tx,
        run,
        state="done" if over else "running",
        step_index=position.step_index,
        wake_at=position.wake_at,
        awaited_event=position.awaited_event,
        awaited_event_received=position.awaited_event_received,
        ended_at=now if over else None,
    )


async def _campaign(tx: Tx, campaign_id: str, *, lock: bool) -> CampaignInForce:
    """Return the campaign's current state, locked if it is paused or with `lock`.

    Without the lock, a simultaneous activation could leave behind a run that is never woken.
    """
    found = await versions.find_in_force(tx, campaign_id, lock=lock)
    if found and found.state == "paused" and not lock:
        found = await versions.find_in_force(tx, campaign_id, lock=True)
    assert found is not None
    return found


async def _entry(tx: Tx, campaign: Campaign, run: JourneyRunRow, now: datetime) -> JourneyEntry:
    """Build the entry with the campaign version that it started with, and current people and counts."""
    context = ReferralContext(
        campaign,
        run.version,
        await lookups.get_advocate(tx, run.advocate_id),
        SYSTEM_ACTOR,
        now,
        referral_id=run.referral_id,
        friend_id=run.friend_id,
        milestone=await find(tx, milestones, id=run.milestone_id) if run.milestone_id else None,
    )
    reward = await find(tx, rewards, id=run.reward_id) if run.reward_id else None
    return JourneyEntry(context, _journey(campaign, run), run.activity_id, reward, run.occurrence)


def _journey(campaign: Campaign, run: JourneyRunRow) -> Journey:
    return next(journey for journey in campaign.journeys if journey.name == run.journey)


async def apply_campaign_state(
    tx: Tx, campaign_id: str, state: str, actor: str, now: datetime
) -> None:
    """Resume the held runs of an activated campaign, or end the runs of an archived one.

    The caller has locked the campaign. Commands wake the workflows at a bounded rate.
    """
    states = {"running": ("held",), "archived": OPEN_RUN_STATES}.get(state, ())
    mine = journey_runs.c.campaign_id == campaign_id
    waiting = select(journey_runs.c.id).where(mine, journey_runs.c.state.in_(states))
    found = await scalars(tx, waiting.order_by(journey_runs.c.started_at, journey_runs.c.id))
    if state == "archived":
        await end(tx, mine, ARCHIVED, now)
    wakes = [
        {
            "campaign_id": campaign_id,
            "data": {"run": run_id},
            "retry_at": now + timedelta(seconds=index / RESUMED_RUNS_PER_SECOND),
        }
        for index, run_id in enumerate(found)
    ]
    await inbox_events.queue_commands(tx, WAKE_COMMAND, actor, now, wakes)


async def count_under_older_versions(tx: Tx, campaign_id: str, version: int) -> int:
    """Count the runs that continue under an older version of the campaign."""
    statement = select(func.count()).where(
        journey_runs.c.campaign_id == campaign_id,
        literal_in(journey_runs.c.state, *OPEN_RUN_STATES),
        journey_runs.c.version < version,
    )
    return int((await one(tx, statement))[0])


async def _set(tx: Tx, run: JourneyRunRow, **values: Any) -> None:
    this = journey_runs.update().where(journey_runs.c.id == run.id)
    await tx.execute(this.values(values))
