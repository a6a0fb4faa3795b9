"""Workflow of one run of a journey that waits, from the event that started it to its end."""

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from activities.journeys import JourneyActivities
    from referrals.temporal.names import JOURNEY_WORKFLOW, WAKE_UPDATE
    from referrals.temporal.payloads import JourneyInput, JourneyStep

from workflows.base import BaseWorkflow


@workflow.defn(name=JOURNEY_WORKFLOW)
class JourneyWorkflow(BaseWorkflow):
    """Waits of a journey run. Its steps are decided in SQL, where exits and pauses are known at once."""

    key: JourneyInput

    @workflow.init
    def __init__(self, journey: JourneyInput) -> None:
        super().__init__(journey, JourneyActivities.run_journey_steps)

    @workflow.run
    async def run(self, journey: JourneyInput) -> str:  # noqa: ARG002 - the constructor reads it
        """Return the final state of the run: `done` or `exited`."""
        await self.run_until_done()
        return self.pending.state

    @workflow.update(name=WAKE_UPDATE)
    async def wake(self) -> None:
        """Continue the run after an event that concerns it; the event is in SQL."""
        await self.decide(JourneyActivities.run_journey_steps)

    def step(self, **_: str) -> JourneyStep:
        return JourneyStep(run_id=self.key.run_id, now=workflow.now())
