"""States of referrals and rewards, and the possible decisions."""

from enum import StrEnum


class ReferralState(StrEnum):
    """State of a referral.

    signed_up → held or in_review → confirmed → rewarded → rolled_back; or expired, rejected.
    """

    SIGNED_UP = "signed_up"
    HELD = "held"
    IN_REVIEW = "in_review"
    CONFIRMED = "confirmed"
    REWARDED = "rewarded"
    ROLLED_BACK = "rolled_back"
    EXPIRED = "expired"
    REJECTED = "rejected"


CLOSED_WITHOUT_CONVERSION = frozenset({ReferralState.EXPIRED, ReferralState.REJECTED})
"""States after which the friend can be referred again. A friend has at most one referral in any other state."""

UNCONVERTED = CLOSED_WITHOUT_CONVERSION | {ReferralState.SIGNED_UP}
"""States without an accepted conversion."""

AWAITING_CONFIRMATION = frozenset({ReferralState.HELD, ReferralState.IN_REVIEW})

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
