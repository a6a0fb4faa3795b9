"""The names of the events that come in and go out, as they stand in a CloudEvent's ``type``."""

import re

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_.-]{0,62}")

INBOUND: frozenset[str] = frozenset(
    {
        "customer_registered",
        "referral_link_shared",
        "referral_link_clicked",
        "referral_signed_up",
        "referral_converted",
        "order_refunded",
        "order_cancelled",
    }
)
"""What callers send, beside custom event names of their own."""

OUTBOUND: frozenset[str] = frozenset(
    {
        "code_published",
        "referral_link_shared",
        "referral_signed_up",
        "referral_converted",
        "referral_rejected",
        "referral_held",
        "referral_expired",
        "referral_rolled_back",
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
"""What is written to the activity log, sent to webhooks and can start a journey."""

COMMANDS: frozenset[str] = frozenset(
    {
        "publish",
        "approve",
        "reject",
        "roll_back",
        "reward_retry",
        "reward_void",
        "reward_roll_back",
        "reward_approve",
        "reward_resume",
        "journey_wake",
        "message_resume",
    }
)
"""What an operator or a caller asks for by other ways than an event; kept beside the events, under these types."""


def check_event_name(name: str) -> str:
    """The name itself.

    Raises:
        ValueError: it is not made of letters, digits, `_`, `.` and `-`.
    """
    if not _NAME.fullmatch(name):
        raise ValueError(
            "must be 1 to 63 letters, digits, _, . and -, beginning with a letter, "
            "such as subscription_started"
        )
    return name
