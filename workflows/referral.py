"""Workflow of one friend in one campaign, from sign-up or conversion until nothing is left to do."""

from typing import Any

from temporalio import workflow
from temporalio.common import SearchAttributeUpdate

with workflow.unsafe.imports_passed_through():
    from activities.referrals import ReferralActivities
    from referrals.temporal.names import REFERRAL_WORKFLOW, WAKE_UPDATE
    from referrals.temporal.payloads import PendingWork, ReferralInput, ReferralKey, ReferralStep
    from referrals.temporal.search_attributes import STATE_ATTRIBUTE

from workflows.base import BaseWorkflow


@workflow.defn(name=REFERRAL_WORKFLOW)
class ReferralWorkflow(BaseWorkflow):
    """Sign-up, conversion, hold, review and roll-back of a friend's referral.

    Started by an update, or with the state that a sign-up has left in SQL. Between updates the run waits for the end of
    the attribution window, of the hold or of the cooldown.
    """

    key: ReferralKey

    @workflow.init
    def __init__(self, referral: ReferralInput) -> None:
        key = ReferralKey(campaign_id=referral.campaign_id, friend_id=referral.friend_id)
        super().__init__(key, ReferralActivities.pass_time)

    @workflow.run
    async def run(self, referral: ReferralInput) -> str:
        """Return the final state of the referral."""
        if referral.initial_state:
            self.start_with(referral.initial_state)
        await self.run_until_done()
        return self.pending.state

    @workflow.update(name="sign_up")
    async def sign_up(self, event_id: str) -> str:
        await self.decide(ReferralActivities.sign_up, event_id=event_id)
        return self.pending.state

    @workflow.update(name="convert")
    async def convert(self, event_id: str) -> str:
        await self.decide(ReferralActivities.convert, event_id=event_id)
        return self.pending.state

    @workflow.update(name="roll_back")
    async def roll_back(self, event_id: str) -> str:
        await self.decide(ReferralActivities.roll_back, event_id=event_id)
        return self.pending.state

    @workflow.update(name="reinstate")
    async def reinstate(self, event_id: str) -> str:
        await self.decide(ReferralActivities.reinstate, event_id=event_id)
        return self.pending.state

    @workflow.update(name="review")
    async def review(self, event_id: str) -> str:
        """Approve or reject a conversion."""
        await self.decide(ReferralActivities.review, event_id=event_id)
        return self.pending.state

    @workflow.update(name="reward")
    async def reward(self, event_id: str) -> str:
        """Retry, void, roll back or approve one reward."""
        await self.decide(ReferralActivities.reward, event_id=event_id)
        return self.pending.state

    @workflow.update(name="reassess")
    async def reassess(self, event_id: str, referral_id: str) -> str:
        """Decide again after a change of the order."""
        await self.decide(ReferralActivities.reassess, event_id=event_id, referral_id=referral_id)
        return self.pending.state

    @workflow.update(name=WAKE_UPDATE)
    async def wake(self) -> None:
        """Do what is due after a merge of customers, which has changed the referral in SQL."""
        await self.decide(ReferralActivities.pass_time)

    sign_up.validator(BaseWorkflow.validate_event_id)
    convert.validator(BaseWorkflow.validate_event_id)
    roll_back.validator(BaseWorkflow.validate_event_id)
    reinstate.validator(BaseWorkflow.validate_event_id)
    review.validator(BaseWorkflow.validate_event_id)
    reward.validator(BaseWorkflow.validate_event_id)
    reassess.validator(BaseWorkflow.validate_referral_event)

    def step(self, **subject: str) -> ReferralStep:
        return ReferralStep(referral=self.key, now=workflow.now(), **subject)

    def search_attribute_changes(self, pending: PendingWork) -> list[SearchAttributeUpdate[Any]]:
        current = workflow.info().typed_search_attributes.get(STATE_ATTRIBUTE)
        changes = super().search_attribute_changes(pending)
        if pending.state != current:
            changes.append(STATE_ATTRIBUTE.value_set(pending.state))
        return changes
