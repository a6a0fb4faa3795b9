"""Workflow of one advocate in one campaign, from publication to the campaign's end."""

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from activities.advocates import AdvocateActivities
    from referrals.temporal.names import ADVOCATE_WORKFLOW, PROCESS_MILESTONE_UPDATE, WAKE_UPDATE
    from referrals.temporal.payloads import AdvocateInput, AdvocateStep

from workflows.base import BaseWorkflow


@workflow.defn(name=ADVOCATE_WORKFLOW)
class AdvocateWorkflow(BaseWorkflow):
    """Publication, shares and milestones of an advocate, with their messages."""

    key: AdvocateInput

    @workflow.init
    def __init__(self, advocate: AdvocateInput) -> None:
        super().__init__(advocate, AdvocateActivities.resume)

    @workflow.run
    async def run(self, advocate: AdvocateInput) -> None:  # noqa: ARG002 - the constructor reads it
        await self.run_until_done()

    @workflow.update(name="publish")
    async def publish(self, event_id: str) -> None:
        """Assign a code for an event or a command."""
        await self.decide(AdvocateActivities.publish, subject_id=event_id)

    @workflow.update(name="share")
    async def share(self, event_id: str) -> None:
        await self.decide(AdvocateActivities.share, subject_id=event_id)

    @workflow.update(name=PROCESS_MILESTONE_UPDATE)
    async def process_milestone(self, milestone_id: str) -> None:
        """Grant the reward of a reached milestone, or roll back that of a lost one."""
        await self.decide(AdvocateActivities.process_milestone, subject_id=milestone_id)

    @workflow.update(name="reward")
    async def reward(self, event_id: str) -> None:
        """Retry, void, roll back or approve a milestone's reward."""
        await self.decide(AdvocateActivities.milestone_reward, subject_id=event_id)

    @workflow.update(name="resend_message")
    async def resend_message(self, event_id: str, message_id: str) -> None:  # noqa: ARG002
        """Send a message by its next channel after the vendor reported that it was not delivered."""
        self.effects.resend_message(message_id)
        await self.decide(AdvocateActivities.resume)

    @workflow.update(name=WAKE_UPDATE)
    async def wake(self) -> None:
        """Do what is pending: after a merge of customers, or events to track again."""
        await self.decide(AdvocateActivities.resume)

    publish.validator(BaseWorkflow.validate_event_id)
    share.validator(BaseWorkflow.validate_event_id)
    process_milestone.validator(BaseWorkflow.validate_milestone_id)
    reward.validator(BaseWorkflow.validate_event_id)
    resend_message.validator(BaseWorkflow.validate_message_event)

    def step(self, **subject: str) -> AdvocateStep:
        return AdvocateStep(advocate=self.key, now=workflow.now(), **subject)
