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

COUNTED = frozenset({ReferralState.CONFIRMED, ReferralState.REWARDED})
"""These count toward tiers."""

PLACED = AWAITING_CONFIRMATION | COUNTED
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


class RejectReason(StrEnum):
    """Why a sign-up or conversion is refused."""

    UNKNOWN_CODE = "unknown_code"
    CODE_NOT_PUBLISHED = "code_not_published"
    CODE_INACTIVE = "code_inactive"
    CODE_NOT_STARTED = "code_not_started"
    CODE_EXPIRED = "code_expired"
    CODE_EXHAUSTED = "code_exhausted"
    CAMPAIGN_NOT_RUNNING = "campaign_not_running"
    CAMPAIGN_LIMIT_REACHED = "campaign_limit_reached"
    ADVOCATE_LIMIT_REACHED = "advocate_limit_reached"
    IN_COOLDOWN = "in_cooldown"
    SELF_REFERRAL = "self_referral"
    ALREADY_REFERRED = "already_referred"
    EXISTING_CUSTOMER = "existing_customer"
    ATTRIBUTION_EXPIRED = "attribution_expired"
    RULE_FAILED = "rule_failed"
    FRAUD_SUSPECTED = "fraud_suspected"
    REJECTED_BY_REVIEW = "rejected_by_review"


class RollBackReason(StrEnum):
    """Why an accepted conversion is taken back."""

    ORDER_REFUNDED = "order_refunded"
    ORDER_CANCELLED = "order_cancelled"
    NO_LONGER_QUALIFIES = "no_longer_qualifies"
    ROLLED_BACK_BY_OPERATOR = "rolled_back_by_operator"
