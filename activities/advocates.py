"""Decisions about advocates: publications, shares and milestones. Each is one SQL transaction, run as a local activity."""

from dataclasses import dataclass

from temporalio import activity
from temporalio.exceptions import ApplicationError, ApplicationErrorCategory

from activities.decisions import LogMessages
from activities.referrals import not_possible
from referrals.domain.actors import SYSTEM_ACTOR
from referrals.errors import NotPossibleError, NotPublishedError, WorkflowMovedError
from referrals.store.codes import publications, shares
from referrals.store.db.sql import Tx
from referrals.store.flow import pending_work, responses
from referrals.store.referrals import milestones
from referrals.store.rewards import commands
from referrals.temporal.payloads import AdvocateStep, PendingWork


@dataclass
class AdvocateActivities:
    log: LogMessages

    @activity.defn(name="publish")
    async def publish(self, step: AdvocateStep) -> PendingWork:
        """Assign a code to the advocate; with `join_once` it is always the same code."""

        async def publish(tx: Tx) -> None:
            await publications.publish_for_event(
                tx, step.subject_id, step.advocate.campaign_id, step.now
            )

        try:
            return await self._decide(step, publish)
        except NotPublishedError as error:
            raise ApplicationError(
                str(error),
                error.code,
                type="NotPublished",
                non_retryable=True,
                category=ApplicationErrorCategory.BENIGN,
            ) from error

    @activity.defn(name="share")
    async def share(self, step: AdvocateStep) -> PendingWork:
        """Record a share of the code by channel."""
        return await self._decide(step, lambda tx: shares.record(tx, step.subject_id, step.now))

    @activity.defn(name="process_milestone")
    async def process_milestone(self, step: AdvocateStep) -> PendingWork:
        """Grant the reward of a reached milestone, or roll back that of a lost one."""
        return await self._decide(
            step,
            lambda tx: milestones.process(tx, step.subject_id, SYSTEM_ACTOR, step.now),
        )

    @activity.defn(name="milestone_reward")
    async def milestone_reward(self, step: AdvocateStep) -> PendingWork:
        """Retry, void, roll back or approve a milestone's reward on an operator's command."""
        try:
            return await self._decide(
                step, lambda tx: commands.run_command(tx, step.subject_id, step.now)
            )
        except NotPossibleError as error:
            raise not_possible(error) from error

    @activity.defn(name="resume_advocate")
    async def resume(self, step: AdvocateStep) -> PendingWork:
        """Load the pending work without a decision."""
        return await self._decide(step)

    async def _decide(
        self, step: AdvocateStep, decide: responses.Decide | None = None
    ) -> PendingWork:
        advocate = step.advocate

        async def decision(tx: Tx) -> PendingWork:
            if decide:
                await responses.decide(tx, decide)
            pending = await pending_work.find_for_advocate(
                tx, advocate.campaign_id, advocate.customer_id, step.now
            )
            if decide and pending.state == pending_work.MERGED:
                raise WorkflowMovedError(advocate.customer_id)
            return pending

        return await self.log.decide(decision, step.subject_id)
