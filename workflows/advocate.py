"""One advocate in one campaign, from publication to the campaign's end."""

import asyncio
from collections.abc import Callable
from typing import Any

from temporalio import workflow
from temporalio.exceptions import ActivityError

with workflow.unsafe.imports_passed_through():
    from activities.advocates import AdvocateActivities
    from referrals.temporal.names import ADVOCATE_WORKFLOW
    from referrals.temporal.payloads import AdvocateInput, AdvocateStep, PendingWork

from workflows.effects import DECIDE, PAUSE, Effects, check_id, until_due

MOST_UPDATES = 1500
"""Of one run; the server takes 2,000."""


@workflow.defn(name=ADVOCATE_WORKFLOW)
class AdvocateWorkflow:
    """Publication, shares and milestones of an advocate, with their messages; each update is one SQL transaction.

    It begins with an update, or continues an earlier run; both resume from SQL.
    """

    @workflow.init
    def __init__(self, advocate: AdvocateInput) -> None:
        self.advocate = advocate
        self.progress = PendingWork()
        self.begun = False
        self.updates = 0
        self.turn = asyncio.Lock()
        self.effects = Effects()

    @workflow.run
    async def run(self, advocate: AdvocateInput) -> None:  # noqa: ARG002
        while workflow.info().continued_run_id and not self.begun:
            await self._resume()
        await workflow.wait_condition(lambda: self.begun)
        while not self._is_over():
            if self._may_continue_as_new():
                workflow.continue_as_new(self.advocate)
            if await until_due(lambda: self.progress, self._may_leave):
                await self._resume()

    @workflow.update(name="publish")
    async def publish(self, event: str) -> None:
        """`event` is the id of the event or command that asks for it."""
        await self._decide(AdvocateActivities.publish, event)

    @workflow.update(name="share")
    async def share(self, event: str) -> None:
        await self._decide(AdvocateActivities.share, event)

    @workflow.update(name="milestone")
    async def milestone(self, milestone: str) -> None:
        """Grant a reached milestone's reward, or take a lost one's back."""
        await self._decide(AdvocateActivities.settle_milestone, milestone)

    @workflow.update(name="reward")
    async def reward(self, event: str) -> None:
        """Retry, void, roll back or approve a milestone's reward."""
        await self._decide(AdvocateActivities.milestone_reward, event)

    @workflow.update(name="resume")
    async def resume(self, event: str, message: str) -> None:  # noqa: ARG002
        """Send a message again, by its next channel, after its vendor told that it has not arrived."""
        self.effects.send_again(message)
        await self._decide(AdvocateActivities.resume_advocate, "")

    @reward.validator
    def _check_reward(self, event: str) -> None:
        check_id("evt_", event)

    @publish.validator
    def _check_publish(self, event: str) -> None:
        check_id("evt_", event)

    @share.validator
    def _check_share(self, event: str) -> None:
        check_id("evt_", event)

    @milestone.validator
    def _check_milestone(self, milestone: str) -> None:
        check_id("mil_", milestone)

    @resume.validator
    def _check_resume(self, event: str, message: str) -> None:
        check_id("evt_", event)
        check_id("msg_", message)

    async def _decide(self, activity: Callable[..., Any], subject: str) -> None:
        self.updates += 1
        try:
            async with self.turn:
                await self._step(activity, subject)
        finally:
            self.begun = True

    async def _step(self, activity: Callable[..., Any], subject: str = "") -> None:
        step = AdvocateStep(advocate=self.advocate, now=workflow.now(), subject_id=subject)
        self.progress = await workflow.execute_local_activity_method(activity, step, **DECIDE)
        if changes := self.effects.attention(self.progress):
            workflow.upsert_search_attributes(changes)
        for reward in self.progress.rewards:
            self.effects.settle(reward, self._resume)
        for message in self.progress.messages:
            self.effects.send(message)
        for run in self.progress.journeys_to_notify:
            self.effects.tell(run)
        for start in self.progress.workflows_to_start:
            self.effects.start(start)

    async def _resume(self) -> None:
        try:
            async with self.turn:
                await self._step(AdvocateActivities.resume_advocate)
            self.begun = True
        except ActivityError:
            workflow.logger.warning("The database does not answer; trying again")
            await workflow.sleep(PAUSE)

    def _is_full(self) -> bool:
        return workflow.info().is_continue_as_new_suggested() or self.updates >= MOST_UPDATES

    def _may_continue_as_new(self) -> bool:
        at_rest = self.effects.at_rest and workflow.all_handlers_finished()
        return self._is_full() and at_rest

    def _is_over(self) -> bool:
        return not self.progress.is_open and self.effects.done and workflow.all_handlers_finished()

    def _may_leave(self) -> bool:
        return self._is_over() or self._may_continue_as_new()
