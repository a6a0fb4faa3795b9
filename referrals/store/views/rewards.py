"""Views of rewards and of commands for them."""

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Literal, get_args

from referrals.domain.failure_causes import FailureCause
from referrals.domain.field_docs import Described
from referrals.domain.rewards import Provider
from referrals.store.views.common import (
    AmountText,
    CurrencyCode,
    RewardStateText,
    RewardType,
    Side,
    one_of,
)

OutcomeKind = Literal["done", "queued", "refused"]
"""Outcome of a command; `queued` means that it is stored and will be processed once."""


@dataclass(frozen=True)
class Reward(Described):
    """One grant to one customer: points, gift credit or a coupon."""

    id: str
    """Id of the reward."""
    campaign: str
    """Slug of the campaign."""
    referral: str | None
    """Id of the referral that it is for."""
    milestone: str | None
    """Id of the milestone that it is for."""
    customer: str
    """The caller's id of the recipient."""
    side: Side
    """Side of the recipient."""
    tier: str | None
    """Name of the tier; null for the friend."""
    type: RewardType
    """Type of the reward."""
    amount: AmountText
    """Amount in points or in units of the currency; 1 for a coupon."""
    repaid: AmountText
    """Part of `amount` that repaid what the customer owed. Owed again if the reward is voided or rolled back."""
    currency: CurrencyCode | None
    """ISO 4217 code of the currency; null for points and coupons."""
    state: RewardStateText
    """Current state."""
    due_at: datetime | None
    """Time at which it is granted."""
    granted_at: datetime | None
    """Time at which it was granted."""
    expires_at: datetime | None
    """Time at which what was granted expires."""
    closed_at: datetime | None
    """Time at which it was voided or rolled back."""
    reason: str | None
    """Reason for the state."""
    key: str
    """Idempotency key, which the provider gets too."""
    provider: Annotated[str, one_of(get_args(Provider))]
    """Provider that issues it."""
    reference: str | None
    """The provider's own id."""
    attempts: int
    """Number of attempts so far."""
    error: str | None
    """Error of the last attempt, as `code: message`."""
    cause: Annotated[str, one_of(FailureCause)] | None
    """Group of the error, by what has to be corrected before a retry."""
    next_step: str | None
    """Advice for an operator."""
    created_at: datetime
    """Time at which it was decided."""


@dataclass(frozen=True)
class FailureCount(Described):
    """Number of failed rewards or tracked events of one cause, and what an operator does about it before the retry."""

    cause: Annotated[str, one_of(FailureCause)]
    """Group of errors."""
    count: int
    """Number of failures."""
    remedy: str
    """Correction that is needed before a retry."""


@dataclass(frozen=True)
class CommandOutcome(Described):
    """Outcome of a command for one reward, and the reward's state; `detail` explains a refusal."""

    id: str
    """Id of the reward."""
    key: str
    """Idempotency key of the reward."""
    customer: str
    """The caller's id of the recipient."""
    outcome: OutcomeKind
    """Outcome of the command."""
    state: RewardStateText
    """State of the reward now."""
    detail: str | None
    """Reason of a refusal."""
