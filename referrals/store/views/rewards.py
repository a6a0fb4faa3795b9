"""Views of rewards and of commands for them."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from referrals.domain.field_docs import Described

OutcomeKind = Literal["done", "queued", "refused"]
"""Outcome of a command; `queued` means that it is stored and will be processed once."""


@dataclass(frozen=True)
class Reward(Described):
    id: str
    campaign: str
    referral: str | None
    milestone: str | None
    customer: str
    side: str
    tier: str | None
    type: str
    amount: str
    repaid: str
    """Part of `amount` that repaid what the customer owed. Owed again if the reward is voided or rolled back."""
    currency: str | None
    state: str
    due_at: datetime | None
    granted_at: datetime | None
    expires_at: datetime | None
    closed_at: datetime | None
    reason: str | None
    key: str
    provider: str
    reference: str | None
    attempts: int
    error: str | None
    cause: str | None
    next_step: str | None
    created_at: datetime


@dataclass(frozen=True)
class FailureCount(Described):
    """Number of failed rewards or tracked events of one cause, and what an operator does about it before the retry."""

    cause: str
    count: int
    remedy: str


@dataclass(frozen=True)
class CommandOutcome(Described):
    """Outcome of a command for one reward, and the reward's state; `detail` explains a refusal."""

    id: str
    key: str
    customer: str
    outcome: OutcomeKind
    state: str
    detail: str | None
