"""What journeys do, in the transaction of the event or the wake-up that lets them.

Steps that wait for nothing are taken at once, by whoever gets there: the decision that recorded the event, or the
workflow of a run. Both go the same way, and every effect has a key, so that no step is taken twice.
"""

import uuid
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import Row, select

from referrals.domain.journey_interpreter import (
    JourneyPlan,
    JourneyPosition,
    PlannedStep,
    advance,
    start_waiting,
)
from referrals.domain.journeys import GrantStep, Journey, ReentryDelay, SendStep, WaitStep
from referrals.domain.reasons import Reason
from referrals.domain.rules import Condition
from referrals.errors import RuleError
from referrals.store.db.ids import new_id
from referrals.store.db.sql import Tx, add, first, insert
from referrals.store.journeys import one_off_webhooks, workflow_starts
from referrals.store.referrals import conditions
from referrals.store.schema import (
    activity,
    customers,
    journey_entries,
    journey_runs,
    messages,
)
from referrals.temporal.names import journey_workflow_id

if TYPE_CHECKING:
    from referrals.store.activity.log import Scene

_KEYS = uuid.UUID("3f1c4a52-8a0d-4f0e-9b57-1d2f9c7e60aa")


@dataclass(frozen=True)
class Entrant:
    """Who enters a journey, by which event: its one `occurrence` of several, and as others are told of it."""

    scene: "Scene"
    journey: Journey
    event: dict[str, Any]
    reward: Row[Any] | None = None
    occurrence: str = ""

    @property
    def subject(self) -> str:
        """What it is about: a milestone, else a referral, else the advocate."""
        scene = self.scene
        return str(
            scene.milestone.id if scene.milestone else scene.referral_id or scene.advocate.id
        )

    @property
    def run_id(self) -> str:
        """The same for the same entry; nobody can enter twice by one event."""
        return f"jrn_{uuid.uuid5(_KEYS, self.key('run')).hex}"

    @property
    def workflow_id(self) -> str:
        return journey_workflow_id(self.journey.name, self.subject, self.run_id)

    def key(self, step: int | str) -> str:
        """Of one step's effect."""
        campaign, journey = self.scene.campaign.campaign, self.journey
        key = f"{campaign}/{journey.name}/{step}/{self.subject}/{journey.on}"
        return f"{key}/{self.occurrence}" if self.occurrence else key

    def customer_of(self, side: str | None) -> str | None:
        """The customer's id here; the operator is none."""
        sides = {"advocate": self.scene.advocate.customer_id, "friend": self.scene.friend_id}
        return sides.get(side) if side else None


async def enter(tx: Tx, entrant: Entrant) -> None:
    """Begin the journey, if its condition holds and it may be entered (again)."""
    journey, now = entrant.journey, entrant.scene.now
    if journey.condition and not await _holds(tx, entrant, journey.condition):
        return
    if not await _may_enter(tx, entrant):
        return
    if journey.has_waits:
        await _start(tx, entrant)
    else:
        await take_steps(tx, entrant, JourneyPosition(), sender_id=entrant.scene.sender_id, now=now)


async def take_steps(
    tx: Tx, entrant: Entrant, position: JourneyPosition, *, sender_id: str, now: datetime
) -> JourneyPosition:
    """Go on to the next wait or the end. What is to be sent is left to the workflow `sender_id`."""
    plan, sent = JourneyPlan(entrant.journey), []
    while planned := plan.step_at(position):
        if planned.step.wait:
            position = await _wait(tx, entrant, plan, position, planned.step.wait, now)
            break
        if send := planned.step.send:
            sent += _messages(entrant, planned.index, send, sender_id, now)
        holds = await _take(tx, entrant, planned, position, sender_id, now)
        position = advance(position, planned, holds=holds)
    await add(tx, messages, *sent, once=("key",))
    return position


async def _take(
    tx: Tx,
    entrant: Entrant,
    planned: PlannedStep,
    position: JourneyPosition,
    sender_id: str,
    now: datetime,
) -> bool:
    step = planned.step
    if step.branch:
        return await _holds(
            tx, entrant, step.branch.condition, happened=position.awaited_event_received
        )
    key, event = f"{entrant.workflow_id}/{planned.index}", entrant.event
    if step.grant:
        await _grant(tx, entrant, planned.index, step.grant, sender_id)
    if step.webhook:
        await one_off_webhooks.add(tx, url=step.webhook.url, key=key, event=event, now=now)
    if step.start_workflow:
        await workflow_starts.add(
            tx, step.start_workflow, key=key, sender_id=sender_id, event=event, now=now
        )
    return True


async def _wait(
    tx: Tx,
    entrant: Entrant,
    plan: JourneyPlan,
    position: JourneyPosition,
    wait: WaitStep,
    now: datetime,
) -> JourneyPosition:
    zone = None
    if wait.until and (customer := entrant.customer_of(plan.next_recipient(position.step_index))):
        found = await first(tx, select(customers.c.timezone).where(customers.c.id == customer))
        zone = found.timezone if found else None
    return start_waiting(position, wait, now, zone or entrant.scene.campaign.timezone)


async def _holds(tx: Tx, entrant: Entrant, condition: Condition, *, happened: bool = False) -> bool:
    """A condition that cannot be answered does not hold, and is logged; what it is about goes on."""
    context = await conditions.of_journey(tx, entrant.scene, entrant.reward)
    try:
        return condition.holds({**context, "awaited": {"happened": happened}})
    except RuleError as error:
        reason = Reason("condition_failed", str(error))
        await log(tx, entrant, "journey_condition_failed", reason)
        return False


async def log(tx: Tx, entrant: Entrant, event: str, reason: Reason) -> None:
    """What a journey could not do, and why, for the activity log."""
    scene = entrant.scene
    await tx.execute(
        activity.insert().values(
            type=event,
            at=scene.now,
            actor="engine",
            campaign_id=scene.campaign.campaign,
            advocate_id=scene.advocate.id,
            referral_id=scene.referral_id,
            milestone_id=scene.milestone.id if scene.milestone else None,
            reason_code=reason.code,
            reason=reason.message,
            data={"journey": entrant.journey.name},
        )
    )


async def _may_enter(tx: Tx, entrant: Entrant) -> bool:
    """By one statement on one row: of two at once, one enters."""
    reentry = entrant.journey.reentry
    if reentry in (None, "always"):
        return True
    now = entrant.scene.now
    entry = insert(tx, journey_entries).values(
        key=f"{entrant.scene.campaign.campaign}/{entrant.journey.name}/{entrant.subject}",
        entered_at=now,
    )
    if isinstance(reentry, ReentryDelay):
        entry = entry.on_conflict_do_update(
            index_elements=["key"],
            set_={"entered_at": now},
            where=journey_entries.c.entered_at <= now - reentry.after,
        )
    else:
        entry = entry.on_conflict_do_nothing(index_elements=["key"])
    return (await tx.execute(entry.returning(journey_entries.c.key))).first() is not None


async def _start(tx: Tx, entrant: Entrant) -> None:
    scene, position = entrant.scene, JourneyPosition()
    await tx.execute(
        insert(tx, journey_runs)
        .values(
            id=entrant.run_id,
            key=entrant.key("run"),
            campaign_id=scene.campaign.campaign,
            version=scene.version,
            journey=entrant.journey.name,
            subject=entrant.subject,
            event=entrant.event,
            occurrence=entrant.occurrence,
            advocate_id=scene.advocate.id,
            friend_id=scene.friend_id,
            referral_id=scene.referral_id,
            milestone_id=scene.milestone.id if scene.milestone else None,
            reward_id=entrant.reward.id if entrant.reward else None,
            state="starting",
            step_index=position.step_index,
            awaited_event_received=position.awaited_event_received,
            exit_on=list(entrant.journey.exit_on or ()),
            notifier_workflow_id=scene.sender_id,
            started_at=scene.now,
        )
        .on_conflict_do_nothing(index_elements=["key"])
    )


def _messages(
    entrant: Entrant, number: int, send: SendStep, sender_id: str, now: datetime
) -> list[dict[str, Any]]:
    """The row of a message; none, where it would be news of somebody else's reward."""
    scene, reward = entrant.scene, entrant.reward
    recipient = entrant.customer_of(send.to)
    news = recipient and (reward is None or reward.customer_id == recipient)
    if not news and send.to != "operator":
        return []
    row = {
        "id": new_id("msg"),
        "key": entrant.key(number),
        "campaign_id": scene.campaign.campaign,
        "version": scene.version,
        "journey": entrant.journey.name,
        "event": entrant.journey.on,
        "template": send.template,
        "channels": list(send.channels),
        "customer_id": recipient,
        "advocate_id": scene.advocate.id,
        "referral_id": scene.referral_id,
        "milestone_id": scene.milestone.id if scene.milestone else None,
        "reward_id": reward.id if reward else None,
        "sender_id": sender_id,
        "state": "pending",
        "created_at": now,
    }
    return [row]


async def _grant(tx: Tx, entrant: Entrant, number: int, grant: GrantStep, sender_id: str) -> None:
    from referrals.store.journeys import grants  # noqa: PLC0415 - a grant is an event of journeys itself

    by_owner = sender_id == entrant.scene.sender_id
    await grants.give(tx, entrant, number, grant, by_owner=by_owner)
