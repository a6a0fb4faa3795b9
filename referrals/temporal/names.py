"""Names of workflows, shared updates and task queues, and ids of workflows, which never contain callers' ids.

Names of other updates and of activities stand at their functions in `workflows/` and `activities/`.
"""

REFERRAL_WORKFLOW = "ReferralWorkflow"
ADVOCATE_WORKFLOW = "AdvocateWorkflow"
EXPIRY_WORKFLOW = "ExpiryWorkflow"
JOURNEY_WORKFLOW = "JourneyWorkflow"

PROCESS_MILESTONE_UPDATE = "process_milestone"
WAKE_UPDATE = "wake"

QUEUE = "referrals"
"""Task queue of workflows and of activities that make no external call."""
REWARDS_QUEUE = "referrals-rewards"
"""Task queue of calls to reward providers."""
MESSAGES_QUEUE = "referrals-messages"
"""Task queue of messages, with a rate limit over all workers."""

EXPIRY_ID = "expiry"
"""Id of the expiry Schedule, and prefix of the ids of its workflows."""


def referral_workflow_id(campaign_id: str, friend_id: str) -> str:
    """Return the id under which a new referral starts. Existing referrals have theirs in SQL."""
    return f"referral/{campaign_id}/{friend_id}"


def friend_of_workflow(workflow_id: str) -> str:
    """Return the friend with whom the workflow of a referral started."""
    return workflow_id.rsplit("/", 1)[1]


def advocate_workflow_id(campaign_id: str, customer_id: str) -> str:
    return f"advocate/{campaign_id}/{customer_id}"


def journey_workflow_id(journey: str, subject_id: str, run_id: str) -> str:
    return f"journey/{journey}/{subject_id}/{run_id}"
