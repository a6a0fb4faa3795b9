"""States of referrals and rewards, and the possible decisions."""

from enum import StrEnum


class ReferralState(StrEnum):
    """State of a referral.

    signed_up → held, in_review or deferred → confirmed → rewarded → rolled_back; or expired, rejected.
    """

    SIGNED_UP = "signed_up"
    HELD = "held"
    IN_REVIEW = "in_review"
    DEFERRED = "deferred"
    CONFIRMED = "confirmed"
    REWARDED = "rewarded"
    ROLLED_BACK = "rolled_back"
    EXPIRED = "expired"
    REJECTED = "rejected"


CLOSED_WITHOUT_CONVERSION = frozenset({ReferralState.EXPIRED, ReferralState.REJECTED})
"""States after which the friend can be referred again. A friend has at most one referral in any other state."""

AWAITING_CONFIRMATION = frozenset(
    {ReferralState.HELD, ReferralState.IN_REVIEW, ReferralState.DEFERRED}
)

COUNTS_TOWARD_TIERS = frozenset({ReferralState.CONFIRMED, ReferralState.REWARDED})
"""States in which a referral counts toward the tiers of the advocate."""

COUNTS_TOWARD_LIMITS = AWAITING_CONFIRMATION | COUNTS_TOWARD_TIERS
"""States in which a referral counts toward the limits of the campaign and the advocate."""


class RewardState(StrEnum):
    """State of a reward.

    pending → granting → granted → rolling_back → rolled_back; or failed (needs an operator), voided (never paid).
    """

    PENDING = "pending"
    GRANTING = "granting"
    GRANTED = "granted"
    ROLLING_BACK = "rolling_back"
    ROLLED_BACK = "rolled_back"
    FAILED = "failed"
    VOIDED = "voided"


class Decision(StrEnum):
    """Decision about a sign-up or a conversion."""

    ACCEPTED = "accepted"
    HELD = "held"
    REJECTED = "rejected"
    DEFERRED = "deferred"


def decision_for(state: str) -> Decision:
    """Return the decision that the response to an accepted conversion in this state carries."""
    if state == ReferralState.DEFERRED:
        return Decision.DEFERRED
    return Decision.HELD if state in AWAITING_CONFIRMATION else Decision.ACCEPTED
