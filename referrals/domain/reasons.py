"""Reason codes of decisions, and the reason that is stored with a decision."""

from dataclasses import dataclass
from enum import StrEnum


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


@dataclass(frozen=True)
class Reason:
    """A reason code and a sentence, kept with every decision.

    `rule` names the rule that failed; `diagnosis`, for operators alone, says why a rule could not be answered.
    """

    code: str
    message: str
    rule: str | None = None
    diagnosis: str | None = None

    def told(self) -> dict[str, str]:
        """As an answer has it."""
        rule = {"rule": self.rule} if self.rule else {}
        return {"code": self.code, "message": self.message, **rule}
