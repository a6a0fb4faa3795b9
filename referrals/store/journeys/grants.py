"""Rewards that journeys grant: each is its referral's or milestone's like those it is promised, and goes with it."""

from typing import Any

from sqlalchemy import Row, select

from referrals.domain.journeys import GrantStep
from referrals.domain.reasons import Reason
from referrals.domain.states import COUNTS_TOWARD_LIMITS, COUNTS_TOWARD_TIERS
from referrals.store import lookups
from referrals.store.activity.log import Scene
from referrals.store.db.sql import Tx, one
from referrals.store.inbox import inbox_events
from referrals.store.journeys import steps
from referrals.store.journeys.steps import Entrant
from referrals.store.referrals import confirmation
from referrals.store.rewards import creation, provider_rewards
from referrals.store.schema import milestones, rewards

LOOK = "reward_resume"
"""The command that has the workflow of the reward's owner look at it."""


async def give(tx: Tx, entrant: Entrant, number: int, grant: GrantStep, *, by_owner: bool) -> None:
    """Once for the entry and its step, whatever repeats it; nothing for what was taken back meanwhile.

    Before the referral is confirmed it is due with the conversion, later at once. `by_owner`: the workflow of the
    referral or, for a milestone, the advocate's sees to what is due; else it is granted here by the own ledger, and the
    owner's workflow is told. The advocate is locked.
    """
    told = entrant.scene
    scene, referral = await lookups.locked_scene(tx, str(told.referral_id), told.actor, told.now)
    if told.milestone:
        milestone = select(milestones).where(milestones.c.id == told.milestone.id)
        scene = confirmation.of_milestone(scene, await one(tx, milestone))
    if gone := _gone(scene, referral):
        await steps.log(tx, entrant, "journey_grant_refused", gone)
        return
    confirmed = scene.milestone is not None or referral.state in COUNTS_TOWARD_TIERS
    due_at = scene.now if confirmed else referral.due_at
    key = entrant.key(number)
    await creation.promise_more(tx, scene, key, grant.reward, due_at, grant.to)
    if by_owner:
        return
    if confirmed:
        await confirmation.grant_due(tx, scene)
    reward = await one(tx, provider_rewards.select_rewards().where(rewards.c.key == key))
    await inbox_events.queue_commands(
        tx, LOOK, "engine", scene.now, [provider_rewards.about(reward)]
    )


def _gone(scene: Scene, referral: Row[Any]) -> Reason | None:
    if scene.milestone:
        lost = scene.milestone.state == "lost"
        return Reason("milestone_lost", "The milestone was lost meanwhile.") if lost else None
    if referral.state in COUNTS_TOWARD_LIMITS:
        return None
    return Reason(f"referral_{referral.state}", "The referral was taken back meanwhile.")
