"""Decisions about referrals. Each is one SQL transaction, run as a local activity.

Decisions are idempotent, because an activity may run again after a crash. They use their workflow's time, so that
retries decide by the same time.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from functools import partial

from temporalio import activity
from temporalio.exceptions import ApplicationError, ApplicationErrorCategory

from activities.decisions import LogMessages
from referrals.domain.actors import SYSTEM_ACTOR
from referrals.errors import NotPossibleError
from referrals.store.db.sql import Tx
from referrals.store.flow import pending_work, responses
from referrals.store.inbox.outcome import Outcome
from referrals.store.referrals import (
    conversions,
    order_changes,
    reinstatements,
    reviews,
    roll_backs,
    signups,
    timers,
)
from referrals.store.rewards import commands
from referrals.temporal.payloads import PendingWork, ReferralStep

Decide = Callable[[Tx, str, datetime], Awaitable[Outcome | None]]


@dataclass
class ReferralActivities:
    log: LogMessages

    @activity.defn(name="sign_up")
    async def sign_up(self, step: ReferralStep) -> PendingWork:
        """Accept or reject a sign-up."""
        return await self._decide(step, _in_workflow(step, signups.sign_up))

    @activity.defn(name="convert")
    async def convert(self, step: ReferralStep) -> PendingWork:
        """Accept or reject a conversion; confirm and reward it unless it has to wait."""
        return await self._decide(step, _in_workflow(step, conversions.convert))

    @activity.defn(name="roll_back")
    async def roll_back(self, step: ReferralStep) -> PendingWork:
        """Roll back a conversion on an operator's command."""
        return await self._decide(step, roll_backs.roll_back_by_operator)

    @activity.defn(name="reinstate")
    async def reinstate(self, step: ReferralStep) -> PendingWork:
        """Reinstate a conversion on an operator's command."""
        return await self._decide(step, reinstatements.reinstate_by_operator)

    @activity.defn(name="review")
    async def review(self, step: ReferralStep) -> PendingWork:
        """Approve or reject a conversion in review on an operator's command."""
        return await self._decide(step, reviews.review)

    @activity.defn(name="reward")
    async def reward(self, step: ReferralStep) -> PendingWork:
        """Retry, void, roll back or approve one reward on an operator's command."""
        return await self._decide(step, commands.run_command)

    @activity.defn(name="reassess")
    async def reassess(self, step: ReferralStep) -> PendingWork:
        """Roll back the conversion, or reinstate it, as its order is now."""

        async def decide(tx: Tx, event_id: str, now: datetime) -> None:
            await order_changes.apply_to_referral(tx, event_id, step.referral_id, now)

        return await self._decide(step, decide)

    @activity.defn(name="pass_time")
    async def pass_time(self, step: ReferralStep) -> PendingWork:
        """Do what is due by now, if anything: expire a sign-up, confirm and reward a conversion."""

        async def decide(tx: Tx, _: str, now: datetime) -> None:
            await timers.process_due(tx, step.referral.workflow_id, SYSTEM_ACTOR, now)

        return await self._decide(step, decide)

    async def _decide(self, step: ReferralStep, decide: Decide) -> PendingWork:
        async def decision(tx: Tx) -> PendingWork:
            await responses.decide(tx, lambda tx: decide(tx, step.event_id, step.now))
            return await pending_work.find_for_referral(tx, step.referral.workflow_id, step.now)

        try:
            return await self.log.decide(decision, step.event_id)
        except NotPossibleError as error:
            raise not_possible(error) from error


def _in_workflow(step: ReferralStep, decide: Callable[..., Awaitable[Outcome]]) -> Decide:
    """Decide about a friend in this workflow, unless the friend's referral is in another."""
    return partial(decide, workflow_id=step.referral.workflow_id)


def not_possible(error: NotPossibleError) -> ApplicationError:
    """Return the non-retryable error of a command that the current state does not allow."""
    return ApplicationError(
        str(error),
        type="NotPossible",
        non_retryable=True,
        category=ApplicationErrorCategory.BENIGN,
    )
