"""One friend brought by one advocate in one campaign, from sign-up or conversion until all is settled."""

import asyncio
from collections.abc import Callable
from typing import Any

from temporalio import workflow
from temporalio.common import SearchAttributeKey
from temporalio.exceptions import ActivityError

with workflow.unsafe.imports_passed_through():
    from activities.milestones import MilestoneActivities
    from activities.referrals import ReferralActivities
    from referrals.temporal.names import REFERRAL_WORKFLOW, STATE_ATTRIBUTE
    from referrals.temporal.payloads import (
        MilestoneChange,
        PendingWork,
        ReferralInput,
        ReferralKey,
        ReferralStep,
    )

from workflows.effects import DECIDE, NOTE, PAUSE, Effects, check_id, until_due

STATE = SearchAttributeKey.for_keyword(STATE_ATTRIBUTE)


@workflow.defn(name=REFERRAL_WORKFLOW)
class ReferralWorkflow:
    """Begins with an update (a conversion, or a later roll-back), or where SQL says that a sign-up stands.

    Each update is one decision in one SQL transaction; its answer is where the referral stands. Between updates the
    run waits for the time that changes something: the end of the window, of the hold, the cooldown's place.
    """

    @workflow.init
    def __init__(self, beginning: ReferralInput) -> None:
        self.friend = ReferralKey(campaign_id=beginning.campaign_id, friend_id=beginning.friend_id)
        self.progress = PendingWork()
        self.begun = False
        self.turn = asyncio.Lock()
        self.effects = Effects()

    @workflow.run
    async def run(self, beginning: ReferralInput) -> str:
        """Returns the state that the referral was left in."""
        if beginning.initial_state and not self.begun:
            self._follow(beginning.initial_state)
            self.begun = True
        await workflow.wait_condition(lambda: self.begun)
        while not self._is_over():
            if await until_due(lambda: self.progress, self._is_over):
                await self._pass_time()
        return self.progress.state

    @workflow.update(name="sign_up")
    async def sign_up(self, event: str) -> str:
        return await self._decide(ReferralActivities.sign_up, event)

    @workflow.update(name="convert")
    async def convert(self, event: str) -> str:
        return await self._decide(ReferralActivities.convert, event)

    @workflow.update(name="roll_back")
    async def roll_back(self, event: str) -> str:
        return await self._decide(ReferralActivities.roll_back, event)

    @workflow.update(name="review")
    async def review(self, event: str) -> str:
        return await self._decide(ReferralActivities.review, event)

    @workflow.update(name="reward")
    async def reward(self, event: str) -> str:
        """Retry, void, roll back or approve one reward."""
        return await self._decide(ReferralActivities.reward, event)

    @workflow.update(name="reassess")
    async def reassess(self, event: str, referral: str) -> str:
        return await self._decide(ReferralActivities.reassess, event, referral)

    @sign_up.validator
    def _check_sign_up(self, event: str) -> None:
        check_id("evt_", event)

    @convert.validator
    def _check_convert(self, event: str) -> None:
        check_id("evt_", event)

    @roll_back.validator
    def _check_roll_back(self, event: str) -> None:
        check_id("evt_", event)

    @review.validator
    def _check_review(self, event: str) -> None:
        check_id("evt_", event)

    @reward.validator
    def _check_reward(self, event: str) -> None:
        check_id("evt_", event)

    @reassess.validator
    def _check_reassess(self, event: str, referral: str) -> None:
        check_id("evt_", event)
        check_id("ref_", referral)

    async def _decide(self, activity: Callable[..., Any], event: str, referral: str = "") -> str:
        try:
            async with self.turn:
                await self._step(activity, event, referral)
        finally:
            self.begun = True
        return self.progress.state

    async def _step(
        self, activity: Callable[..., Any], event: str = "", referral: str = ""
    ) -> None:
        step = ReferralStep(
            referral=self.friend, now=workflow.now(), event_id=event, referral_id=referral
        )
        progress = await workflow.execute_local_activity_method(activity, step, **DECIDE)
        self._follow(progress)

    def _follow(self, progress: PendingWork) -> None:
        shown = workflow.info().typed_search_attributes.get(STATE)
        changes = [STATE.value_set(progress.state)] if progress.state != shown else []
        changes += self.effects.attention(progress)
        if changes:
            workflow.upsert_search_attributes(changes)
        self.progress = progress
        for reward in progress.rewards:
            self.effects.settle(reward, self._pass_time)
        for message in progress.messages:
            self.effects.send(message)
        for run in progress.journeys_to_notify:
            self.effects.tell(run)
        for start in progress.workflows_to_start:
            self.effects.start(start)
        for change in progress.milestones:
            self.effects.begin(change, self._tell_advocate(change))

    async def _pass_time(self) -> None:
        try:
            async with self.turn:
                await self._step(ReferralActivities.pass_time)
        except ActivityError:
            workflow.logger.warning("The database does not answer; trying again")
            await workflow.sleep(PAUSE)

    async def _tell_advocate(self, change: MilestoneChange) -> None:
        await workflow.execute_activity_method(
            MilestoneActivities.tell_advocate, args=[self.friend.campaign_id, change], **NOTE
        )

    def _is_over(self) -> bool:
        return not self.progress.is_open and self.effects.done and workflow.all_handlers_finished()
