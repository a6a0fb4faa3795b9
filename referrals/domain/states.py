"""The states of a referral and of a reward, and the reason codes of decisions."""

from enum import StrEnum


class ReferralState(StrEnum):
    """signed_up → held, in_review or deferred → confirmed → rewarded → rolled_back; or expired, rejected."""

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
"""The friend may still be referred after these; any other state is the friend's one referral."""

AWAITING_CONFIRMATION = frozenset(
    {ReferralState.HELD, ReferralState.IN_REVIEW, ReferralState.DEFERRED}
)

COUNTS_TOWARD_TIERS = frozenset({ReferralState.CONFIRMED, ReferralState.REWARDED})
"""These count toward tiers."""

COUNTS_TOWARD_LIMITS = AWAITING_CONFIRMATION | COUNTS_TOWARD_TIERS
"""These take a place under the limits."""


class RewardState(StrEnum):
    """pending → granting → granted → rolling_back → rolled_back; or failed (parked), voided (never paid)."""

    PENDING = "pending"
    GRANTING = "granting"
    GRANTED = "granted"
    ROLLING_BACK = "rolling_back"
    ROLLED_BACK = "rolled_back"
    FAILED = "failed"
    VOIDED = "voided"


class Decision(StrEnum):
    """The answer to an event that asks for one."""

    ACCEPTED = "accepted"
    HELD = "held"
    REJECTED = "rejected"
    DEFERRED = "deferred"
