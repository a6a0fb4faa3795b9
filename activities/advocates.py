"""What happens to an advocate: publication, shares, milestones. On the own database; run as local activities."""

from dataclasses import dataclass
from datetime import datetime

from pydantic import BaseModel, ConfigDict
from temporalio import activity
from temporalio.exceptions import ApplicationError, ApplicationErrorCategory

from activities.log import LogMessages
from activities.referrals import ENGINE, not_possible
from referrals.domain.progress import Progress
from referrals.store import Store, grants, progress, publications, reversals, settlement, shares
from referrals.store.sql import Tx


class Advocate(BaseModel):
    """Who: the customer's id here, in a campaign."""

    model_config = ConfigDict(frozen=True)
    campaign: str
    customer: str


class AdvocateStep(BaseModel):
    """One thing to do for an advocate; `subject` is the id of the event, command or milestone that it is about."""

    model_config = ConfigDict(frozen=True)
    advocate: Advocate
    now: datetime
    subject: str = ""


@dataclass
class AdvocateActivities:
    store: Store
    log: LogMessages

    @activity.defn
    async def publish(self, step: AdvocateStep) -> Progress:
        """Assign the advocate a code; with `join_once` always the same."""
        try:
            async with self.store.begin() as tx:
                await publications.publish_for(
                    tx, step.subject, step.advocate.campaign, step.advocate.customer, step.now
                )
                found = await self._progress(tx, step)
        except publications.NotPublished as error:
            raise ApplicationError(
                error.reason.message,
                error.reason.code,
                type="NotPublished",
                non_retryable=True,
                category=ApplicationErrorCategory.BENIGN,
            ) from error
        return await self.log.send(found)

    @activity.defn
    async def share(self, step: AdvocateStep) -> Progress:
        """Count the share by its channel."""
        async with self.store.begin() as tx:
            await shares.share(tx, step.subject, step.now)
            found = await self._progress(tx, step)
        return await self.log.send(found)

    @activity.defn
    async def settle_milestone(self, step: AdvocateStep) -> Progress:
        """Grant a reached milestone's reward, or take a lost one's back."""
        async with self.store.begin() as tx:
            await settlement.settle_milestone(tx, step.subject, ENGINE, step.now)
            found = await self._progress(tx, step)
        return await self.log.send(found)

    @activity.defn
    async def milestone_reward(self, step: AdvocateStep) -> Progress:
        """Retry, void, roll back or approve a milestone's reward, as an operator asked."""
        try:
            async with self.store.begin() as tx:
                await grants.command(tx, step.subject, step.now)
                found = await self._progress(tx, step)
        except reversals.NotPossible as error:
            raise not_possible(error) from error
        return await self.log.send(found)

    @activity.defn
    async def resume_advocate(self, step: AdvocateStep) -> Progress:
        """Where the advocate stands: messages to send, and until when the campaign runs."""
        async with self.store.read() as tx:
            found = await self._progress(tx, step)
        return await self.log.send(found)

    async def _progress(self, tx: Tx, step: AdvocateStep) -> Progress:
        advocate = step.advocate
        return await progress.of_advocate(tx, advocate.campaign, advocate.customer, step.now)
