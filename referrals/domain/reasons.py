"""Reason codes of decisions, and the reason that is stored with a decision."""

from dataclasses import dataclass
from enum import StrEnum


class RejectReason(StrEnum):
    """Reason code of a rejected sign-up or conversion."""

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
    RULE_BROKEN = "rule_broken"
    FRAUD_SUSPECTED = "fraud_suspected"
    REJECTED_BY_REVIEW = "rejected_by_review"
    BUDGET_EXHAUSTED = "budget_exhausted"
    ORDER_REFUNDED = "order_refunded"
    ORDER_CANCELLED = "order_cancelled"
    NO_LONGER_QUALIFIES = "no_longer_qualifies"


class ReviewReason(StrEnum):
    """Reason code of a conversion that a person has to review."""

    INCOMPLETE_DATA = "incomplete_data"
    SAME_PERSON = "same_person"


class RollBackReason(StrEnum):
    """Reason code of a roll-back of an accepted conversion."""

    ORDER_REFUNDED = "order_refunded"
    ORDER_CANCELLED = "order_cancelled"
    NO_LONGER_QUALIFIES = "no_longer_qualifies"
    ROLLED_BACK_BY_OPERATOR = "rolled_back_by_operator"


REASONS_OF_ORDERS = frozenset(
    {
        RollBackReason.ORDER_REFUNDED,
        RollBackReason.ORDER_CANCELLED,
        RollBackReason.NO_LONGER_QUALIFIES,
    }
)
"""Reasons of conversions that are decided anew with each change of their order."""


@dataclass(frozen=True)
class Reason:
    """Reason code and message that are stored with a decision.

    `rule` is the name of the rule that decided. `diagnosis` is for operators only: the error of a rule that could
    not be evaluated.
    """

    code: str
    message: str
    rule: str | None = None
    diagnosis: str | None = None

    def as_dict(self) -> dict[str, str]:
        """Return the public part of the reason, without the diagnosis."""
        rule = {"rule": self.rule} if self.rule else {}
        return {"code": self.code, "message": self.message, **rule}
