"""What happens to an advocate: publication, shares, milestones. On the own database; run as local activities."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from temporalio import activity
from temporalio.exceptions import ApplicationError, ApplicationErrorCategory

from activities.decisions import LogMessages
from activities.referrals import ENGINE, not_possible
from referrals.store.codes import publications, shares
from referrals.store.db.sql import Tx
from referrals.store.flow import pending_work
from referrals.store.referrals import confirmation, reversals
from referrals.store.rewards import provider_rewards
from referrals.temporal.payloads import AdvocateStep, PendingWork


@dataclass
class AdvocateActivities:
    log: LogMessages

    @activity.defn(name="publish")
    async def publish(self, step: AdvocateStep) -> PendingWork:
        """Assign the advocate a code; with `join_once` always the same."""
        advocate = step.advocate
        try:
            return await self._decide(
                step,
                lambda tx: publications.publish_for(
                    tx, step.subject_id, advocate.campaign_id, advocate.customer_id, step.now
                ),
            )
        except publications.NotPublished as error:
            raise ApplicationError(
                error.reason.message,
                error.reason.code,
                type="NotPublished",
                non_retryable=True,
                category=ApplicationErrorCategory.BENIGN,
            ) from error

    @activity.defn(name="share")
    async def share(self, step: AdvocateStep) -> PendingWork:
        """Count the share by its channel."""
        return await self._decide(step, lambda tx: shares.share(tx, step.subject_id, step.now))

    @activity.defn(name="settle_milestone")
    async def settle_milestone(self, step: AdvocateStep) -> PendingWork:
        """Grant a reached milestone's reward, or take a lost one's back."""
        return await self._decide(
            step, lambda tx: confirmation.settle_milestone(tx, step.subject_id, ENGINE, step.now)
        )

    @activity.defn(name="milestone_reward")
    async def milestone_reward(self, step: AdvocateStep) -> PendingWork:
        """Retry, void, roll back or approve a milestone's reward, as an operator asked."""
        try:
            return await self._decide(
                step, lambda tx: provider_rewards.command(tx, step.subject_id, step.now)
            )
        except reversals.NotPossible as error:
            raise not_possible(error) from error

    @activity.defn(name="resume_advocate")
    async def resume_advocate(self, step: AdvocateStep) -> PendingWork:
        """Where the advocate stands: messages to send, and until when the campaign runs."""
        return await self._decide(step)

    async def _decide(
        self, step: AdvocateStep, decide: Callable[[Tx], Awaitable[Any]] | None = None
    ) -> PendingWork:
        advocate = step.advocate

        async def decision(tx: Tx) -> PendingWork:
            if decide:
                await decide(tx)
            return await pending_work.of_advocate(
                tx, advocate.campaign_id, advocate.customer_id, step.now
            )

        return await self.log.decide(decision)
