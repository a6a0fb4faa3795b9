"""Causes of failures at a provider: what has to be corrected before failed rewards can be retried together."""

from dataclasses import dataclass
from enum import StrEnum


class FailureCause(StrEnum):
    """Cause of the last error of a reward or of a tracked event."""

    CREDENTIALS = "credentials"
    PLAN = "plan"
    STOCK = "stock"
    SETUP = "setup"
    RULE = "rule"
    CUSTOMER = "customer"
    OUTAGE = "outage"
    OTHER = "other"


REMEDIES = {
    FailureCause.CREDENTIALS: "Correct the provider's credentials in the settings.",
    FailureCause.PLAN: "Extend the plan of the account at the provider: its quota is used up or unpaid.",
    FailureCause.STOCK: "Add codes to the pool, at the provider or with `referrals coupon import`.",
    FailureCause.SETUP: "Correct the target in the campaign, or the object that it names at the provider.",
    FailureCause.RULE: "Correct the rule at the provider that refused it.",
    FailureCause.CUSTOMER: "Correct the customer's state at the provider.",
    FailureCause.OUTAGE: "Wait until the provider responds again.",
    FailureCause.OTHER: "Read the error.",
}
"""Correction that an operator makes before a retry, by cause."""


@dataclass(frozen=True)
class Failure:
    """Last error of a reward or of a tracked event: the code for machines, the message for people, and the cause."""

    code: str
    message: str
    cause: FailureCause
