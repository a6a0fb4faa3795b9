"""Payload types of workflows and activities."""

import inspect
from dataclasses import is_dataclass
from typing import get_type_hints

from pydantic.dataclasses import is_pydantic_dataclass

from activities.advocates import AdvocateActivities
from activities.journeys import JourneyActivities
from activities.milestones import MilestoneActivities
from activities.referrals import ReferralActivities
from referrals.temporal.payloads import PendingWork, ReferralInput, ReferralStep
from workflows.advocate import AdvocateWorkflow
from workflows.journey import JourneyWorkflow
from workflows.referral import ReferralWorkflow

WORKFLOWS = (ReferralWorkflow, AdvocateWorkflow, JourneyWorkflow)
ACTIVITIES = (ReferralActivities, AdvocateActivities, JourneyActivities, MilestoneActivities)


def test_payload_types_are_pydantic_dataclasses():
    """With plain dataclasses each run's converter would build a schema: a millisecond, and more memory than the run."""
    methods = [
        method
        for cls in (*WORKFLOWS, *ACTIVITIES)
        for name, method in vars(cls).items()
        if inspect.isfunction(method) and not name.startswith("_")
    ]
    types = {kind for method in methods for kind in get_type_hints(method).values()}

    plain = {kind for kind in types if is_dataclass(kind) and not is_pydantic_dataclass(kind)}

    assert {ReferralInput, ReferralStep, PendingWork} <= types
    assert plain == set()
