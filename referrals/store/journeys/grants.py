"""Rewards that journeys grant. They belong to the journey's referral or milestone and are rolled back with it."""

from referrals.domain.actors import SYSTEM_ACTOR
from referrals.domain.journey_steps import GrantStep
from referrals.domain.reasons import Reason
from referrals.domain.states import COUNTS_TOWARD_LIMITS, COUNTS_TOWARD_TIERS
from referrals.store import lookups
from referrals.store.activity.context import ReferralContext
from referrals.store.db.columns import required
from referrals.store.db.sql import Tx, one_of
from referrals.store.inbox import inbox_events
from referrals.store.journeys.journey_entry import JourneyEntry, log_problem
from referrals.store.rewards import commands, creation, granting
from referrals.store.rewards.creation import RewardSpec
from referrals.store.schema import ReferralRow, rewards

PROCESS_COMMAND = "reward_resume"
"""Command that makes the workflow of the reward's referral or milestone process the reward."""


async def grant(
    tx: Tx, entry: JourneyEntry, index: int, step: GrantStep, *, by_owner: bool
) -> None:
    """Grant a reward once for the entry and the step, unless the referral was rolled back meanwhile.

    Until the referral is confirmed, the reward is due with the conversion; afterwards it is due at once. `by_owner` means
    that the caller is the workflow of the referral (or of the milestone's advocate), which processes the reward next;
    otherwise a command makes that workflow do so.
    """
    entered = entry.context
    context, referral = await lookups.lock_context(
        tx, str(entered.referral_id), entered.actor, entered.now
    )
    if entered.milestone:
        context = await lookups.milestone_context(tx, context, entered.milestone.id)
    if problem := await _problem(tx, context, referral):
        await log_problem(tx, entry, "journey_grant_refused", problem)
        return
    confirmed = context.milestone is not None or referral.state in COUNTS_TOWARD_TIERS
    due_at = context.now if confirmed else required(referral.due_at)
    origin, name = entry.key(index), f"{entry.journey.identity}.{index}"
    spec = RewardSpec(origin, step.reward, step.to, name, due_at)
    await creation.create(tx, context, spec)
    if confirmed and not (context.milestone and by_owner):
        await granting.reopen_referral(tx, context)
        await granting.grant_due(tx, context)
    if not by_owner:
        statement = commands.select_rewards_with_friend().where(rewards.c.origin == origin)
        reward = await one_of(tx, commands.RewardWithFriend, statement)
        command = commands.command_of(reward)
        await inbox_events.queue_commands(tx, PROCESS_COMMAND, SYSTEM_ACTOR, context.now, [command])


async def _problem(tx: Tx, context: ReferralContext, referral: ReferralRow) -> Reason | None:
    """Return the reason why the reward cannot be granted any more, if any."""
    if context.milestone:
        lost = await lookups.is_undone(tx, context)
        return Reason("milestone_lost", "The milestone was lost meanwhile.") if lost else None
    if referral.state in COUNTS_TOWARD_LIMITS:
        return None
    return Reason(f"referral_{referral.state}", "The referral was rolled back meanwhile.")
