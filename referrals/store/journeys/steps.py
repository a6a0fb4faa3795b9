"""Run the steps of a journey up to its next wait.

The decision that published the event runs the first steps; the workflow of the run continues after a wait. Every effect has an
idempotency key, so that no step has its effect twice.
"""

from collections.abc import Callable
from datetime import datetime
from typing import Any

from sqlalchemy import select

from referrals.domain.journey_interpreter import (
    JourneyPlan,
    JourneyPosition,
    PlannedStep,
    advance,
    start_waiting,
)
from referrals.domain.journey_steps import SendStep, WaitStep
from referrals.domain.reasons import Reason
from referrals.domain.rules import Condition
from referrals.domain.time_zones import find_zone
from referrals.errors import RuleError
from referrals.store.db.ids import new_id
from referrals.store.db.sql import Tx, add, first
from referrals.store.journeys import (
    grants,
    one_off_webhooks,
    trace,
    tracked_events,
    workflow_starts,
)
from referrals.store.journeys.journey_entry import JourneyEntry, log_problem
from referrals.store.referrals import conditions
from referrals.store.schema import customers, messages


async def run_steps(
    tx: Tx, entry: JourneyEntry, position: JourneyPosition, *, sender_id: str, now: datetime
) -> JourneyPosition:
    """Run the steps from `position` to the next wait or the end; returns the new position.

    The workflow `sender_id` sends the messages.
    """
    plan, drafts = JourneyPlan(entry.journey), []
    while planned := plan.step_at(position):
        if planned.step.wait:
            position = await _wait(tx, entry, plan, position, planned.step.wait, now)
            break
        if send := planned.step.send:
            drafts += _messages(entry, planned.index, send, sender_id, now)
        holds = await _run_step(tx, entry, planned, position, sender_id, now)
        trace.record_step(entry, planned.step, holds=holds)
        position = advance(position, planned, holds=holds)
    await add(tx, messages, *drafts, once=("key",))
    return position


async def _run_step(
    tx: Tx,
    entry: JourneyEntry,
    planned: PlannedStep,
    position: JourneyPosition,
    sender_id: str,
    now: datetime,
) -> bool:
    """Run one step other than a message or a wait. Return False only if the condition of a branch does not hold."""
    step = planned.step
    if branch := step.branch:
        received = position.awaited_event_received
        return await condition_holds(
            tx, entry, lambda: branch.condition, awaited_event_received=received
        )
    key = f"{entry.workflow_id}/{planned.index}"
    if step.grant:
        by_owner = sender_id == entry.context.sender_id
        await grants.grant(tx, entry, planned.index, step.grant, by_owner=by_owner)
    if step.track:
        values = await conditions.load_journey_values(tx, entry.context, entry.reward)
        attributes = step.track.values(values)
        await tracked_events.add(
            tx,
            entry,
            step.track,
            key=entry.key(planned.index),
            attributes=attributes,
            sender_id=sender_id,
            now=now,
        )
    if step.webhook:
        await _send_webhook(tx, entry, step.webhook.url, key, now)
    if step.start_workflow:
        await workflow_starts.add(
            tx, entry, step.start_workflow, key=key, sender_id=sender_id, now=now
        )
    return True


async def _send_webhook(tx: Tx, entry: JourneyEntry, url: str, key: str, now: datetime) -> None:
    await one_off_webhooks.add(
        tx,
        activity_id=entry.activity_id,
        campaign_id=entry.context.campaign.campaign,
        type=entry.journey.on,
        url=url,
        key=key,
        now=now,
    )


async def _wait(
    tx: Tx,
    entry: JourneyEntry,
    plan: JourneyPlan,
    position: JourneyPosition,
    wait: WaitStep,
    now: datetime,
) -> JourneyPosition:
    zone = None
    if wait.until and (customer := entry.customer_of(plan.next_recipient(position.step_index))):
        found = await first(tx, select(customers.c.timezone).where(customers.c.id == customer))
        zone = found[0] if found else None
    known = find_zone(zone, entry.context.campaign.timezone)
    waiting = start_waiting(position, wait, now, known.key)
    trace.record_wait(entry, wait, waiting.wake_at)
    return waiting


async def condition_holds(
    tx: Tx,
    entry: JourneyEntry,
    compile_condition: Callable[[], Condition],
    *,
    awaited_event_received: bool = False,
) -> bool:
    """Return whether a condition holds. If it cannot be compiled or evaluated, log that and return False."""
    values = await conditions.load_journey_values(tx, entry.context, entry.reward)
    try:
        return compile_condition().holds(
            {**values, "awaited": {"happened": awaited_event_received}}
        )
    except RuleError as error:
        reason = Reason("condition_failed", str(error))
        await log_problem(tx, entry, "journey_condition_failed", reason)
        return False


def _messages(
    entry: JourneyEntry, index: int, send: SendStep, sender_id: str, now: datetime
) -> list[dict[str, Any]]:
    """Build the row of a message; none if the event's reward belongs to another person than the recipient."""
    context, reward = entry.context, entry.reward
    recipient = entry.customer_of(send.to)
    concerned = recipient and (reward is None or reward.customer_id == recipient)
    if not concerned and send.to != "operator":
        return []
    row = {
        "id": new_id("msg"),
        "key": entry.key(index),
        "campaign_id": context.campaign.campaign,
        "version": context.version,
        "journey": entry.journey.name,
        "event": entry.journey.on,
        "template": send.template,
        "channels": list(send.channels),
        "customer_id": recipient,
        "advocate_id": context.advocate.id,
        "referral_id": context.referral_id,
        "milestone_id": context.milestone.id if context.milestone else None,
        "reward_id": reward.id if reward else None,
        "sender_id": sender_id,
        "state": "pending",
        "created_at": now,
    }
    return [row]
