"""View of a merge of customers."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from referrals.domain.field_docs import Described

ConflictKind = Literal[
    "two_referrals",
    "self_referral",
    "two_advocates",
    "same_milestone",
    "two_sole_codes",
    "contact",
    "consent",
]


@dataclass(frozen=True)
class MergedBalance(Described):
    """Amounts of one type and currency that moved: the balance, the debt, and how much of the debt it repaid at once."""

    type: str
    currency: str | None
    moved: str
    debt: str
    repaid: str


@dataclass(frozen=True)
class MergeConflict(Described):
    """Something of which one person has only one. `effect` says what became of `other`."""

    kind: ConflictKind
    effect: str
    message: str
    campaign: str | None = None
    surviving: str | None = None
    other: str | None = None


@dataclass(frozen=True)
class MergedId(Described):
    """An id that was merged into a customer: by whom, when and why."""

    id: str
    merged_at: datetime
    merged_by: str
    reason: str | None


@dataclass(frozen=True)
class MergeReport(Described):
    """Report of a merge, or in a preview of what it would do: the id `merged` now belongs to `customer`."""

    customer: str
    merged: str
    merged_at: datetime
    merged_by: str
    reason: str | None
    moved: dict[str, int]
    """Numbers of rows by kind."""
    balances: list[MergedBalance]
    conflicts: list[MergeConflict]
    preview: bool = False
