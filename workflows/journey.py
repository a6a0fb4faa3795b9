"""One run of a journey that waits, from the event that started it to its end."""

import asyncio

from temporalio import workflow
from temporalio.exceptions import ActivityError

with workflow.unsafe.imports_passed_through():
    from activities.journeys import JourneyActivities
    from referrals.temporal.names import JOURNEY_WORKFLOW
    from referrals.temporal.payloads import JourneyInput, JourneyStep, PendingWork

from workflows.effects import DECIDE, PAUSE, Effects, until_due


@workflow.defn(name=JOURNEY_WORKFLOW)
class JourneyWorkflow:
    """It waits; what is due when it wakes is decided in SQL, where every exit and pause is known at once.

    It begins with an update, or continues an earlier run; both resume from SQL.
    """

    @workflow.init
    def __init__(self, run: JourneyInput) -> None:
        self.journey_run = run
        self.progress = PendingWork()
        self.begun = False
        self.turn = asyncio.Lock()
        self.effects = Effects()

    @workflow.run
    async def run(self, run: JourneyInput) -> str:
        """Returns `done` or `exited`."""
        while workflow.info().continued_run_id and not self.begun:
            await self._pass_time()
        await workflow.wait_condition(lambda: self.begun)
        while not self._is_over():
            if self._may_continue_as_new():
                workflow.continue_as_new(run)
            if await until_due(lambda: self.progress, self._may_leave):
                await self._pass_time()
        return self.progress.state

    @workflow.update(name="wake")
    async def wake(self) -> None:
        """Something happened that concerns the run: SQL says what."""
        try:
            async with self.turn:
                await self._step()
        finally:
            self.begun = True

    async def _step(self) -> None:
        step = JourneyStep(run_id=self.journey_run.run_id, now=workflow.now())
        self.progress = await workflow.execute_local_activity_method(
            JourneyActivities.next_step, step, **DECIDE
        )
        for message in self.progress.messages:
            self.effects.send(message)
        for start in self.progress.workflows_to_start:
            self.effects.start(start)

    async def _pass_time(self) -> None:
        try:
            async with self.turn:
                await self._step()
            self.begun = True
        except ActivityError:
            workflow.logger.warning("The database does not answer; trying again")
            await workflow.sleep(PAUSE)

    def _is_full(self) -> bool:
        return workflow.info().is_continue_as_new_suggested()

    def _is_settled(self) -> bool:
        return self.effects.done and workflow.all_handlers_finished()

    def _is_over(self) -> bool:
        return not self.progress.is_open and self._is_settled()

    def _may_continue_as_new(self) -> bool:
        at_rest = self.effects.at_rest and workflow.all_handlers_finished()
        return self._is_full() and at_rest

    def _may_leave(self) -> bool:
        return self._is_over() or self._may_continue_as_new()
