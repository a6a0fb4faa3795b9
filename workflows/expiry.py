"""Workflow of the hourly expiry of points."""

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from activities.expiry import ExpiryActivities
    from referrals.temporal.names import EXPIRY_WORKFLOW
    from workflows.options import EXPIRY_OPTIONS


@workflow.defn(name=EXPIRY_WORKFLOW)
class ExpiryWorkflow:
    """Book expired points, batch by batch until none are due; started by a Schedule."""

    @workflow.run
    async def run(self) -> None:
        while await workflow.execute_activity_method(
            ExpiryActivities.expire, workflow.now(), **EXPIRY_OPTIONS
        ):
            if workflow.info().is_continue_as_new_suggested():
                workflow.continue_as_new()
