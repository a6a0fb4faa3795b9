"""The names by which Temporal knows what is ours. No caller's id is ever part of one."""

REFERRAL_WORKFLOW = "ReferralWorkflow"
ADVOCATE_WORKFLOW = "AdvocateWorkflow"
EXPIRY_WORKFLOW = "ExpiryWorkflow"
JOURNEY_WORKFLOW = "JourneyWorkflow"

QUEUE = "referrals"
"""Workflows and decisions."""
REWARDS_QUEUE = "referrals-rewards"
"""Calls to reward providers; rate limited over all workers."""
MESSAGES_QUEUE = "referrals-messages"
"""Messages; rate limited over all workers."""

CAMPAIGN_ATTRIBUTE = "ReferralCampaign"
ADVOCATE_ATTRIBUTE = "ReferralAdvocate"
STATE_ATTRIBUTE = "ReferralState"
ATTENTION_ATTRIBUTE = "ReferralAttention"
SEARCH_ATTRIBUTES = (CAMPAIGN_ATTRIBUTE, ADVOCATE_ATTRIBUTE, STATE_ATTRIBUTE, ATTENTION_ATTRIBUTE)
"""Keywords, to be registered in the namespace."""

EXPIRY_ID = "expiry"
"""Of the Schedule, and with the time behind it of the runs that it starts."""


def referral_workflow_id(campaign: str, friend: str) -> str:
    return f"referral/{campaign}/{friend}"


def advocate_workflow_id(campaign: str, customer: str) -> str:
    return f"advocate/{campaign}/{customer}"


def journey_workflow_id(journey: str, subject: str, run: str) -> str:
    return f"journey/{journey}/{subject}/{run}"
