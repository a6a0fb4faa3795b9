"""Names of incoming events, outgoing events and commands: the ``type`` of a CloudEvent."""

import re

EVENT_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_.-]{0,62}")

SIGN_UP = "referral_signed_up"
"""The sign-up of a friend. A campaign may convert on it."""

INBOUND: frozenset[str] = frozenset(
    {
        "customer_registered",
        "customer_merged",
        "referral_link_shared",
        "referral_link_clicked",
        SIGN_UP,
        "referral_converted",
        "order_updated",
        "order_refunded",
        "order_cancelled",
        "order_reinstated",
    }
)
"""Events that callers send, besides custom events."""

CUSTOMER_EVENTS: frozenset[str] = frozenset({"customer_merged"})
"""Outgoing events about a customer, in no campaign. No journey starts on them."""

CAMPAIGN_EVENTS: frozenset[str] = frozenset(
    {
        "campaign_applied",
        "campaign_paused",
        "campaign_activated",
        "campaign_archived",
        "campaign_deleted",
    }
)
"""Outgoing events about a campaign as a whole. No journey starts on them."""

OUTBOUND: frozenset[str] = (
    CUSTOMER_EVENTS
    | CAMPAIGN_EVENTS
    | {
        "code_published",
        "referral_link_shared",
        SIGN_UP,
        "referral_converted",
        "referral_rejected",
        "referral_held",
        "referral_expired",
        "referral_rolled_back",
        "referral_reinstated",
        "milestone_reached",
        "milestone_lost",
        "reward_pending",
        "reward_granted",
        "reward_failed",
        "reward_voided",
        "reward_rolled_back",
        "message_sent",
        "message_delivered",
        "message_failed",
    }
)
"""Events that are written to the activity log and sent to webhooks. Most can start a journey."""

COMMANDS: frozenset[str] = frozenset(
    {
        "publish",
        "approve",
        "reject",
        "roll_back",
        "reinstate",
        "reward_retry",
        "reward_void",
        "reward_roll_back",
        "reward_approve",
        "reward_resume",
        "journey_wake",
        "message_resume",
        "advocate_resume",
    }
)
"""Commands of operators and callers. The inbox stores them like events, under these types."""

RESERVED_EVENTS: frozenset[str] = (INBOUND | OUTBOUND | COMMANDS) - {SIGN_UP}
"""Names that no campaign can convert on."""


def check_event_name(name: str) -> str:
    """Return the name if it is valid.

    Raises:
        ValueError: the name is not 1 to 63 letters, digits, `_`, `.` and `-`, or does not start with a letter.
    """
    if not EVENT_NAME.fullmatch(name):
        raise ValueError(
            "must be 1 to 63 letters, digits, _, . and -, starting with a letter, "
            "such as subscription_started"
        )
    return name
