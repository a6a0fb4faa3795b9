"""View of a merge of customers."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from referrals.domain.field_docs import Described
from referrals.store.views.common import AmountText, AssetType, CurrencyCode

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

    type: AssetType
    """Type of the balance."""
    currency: CurrencyCode | None
    """ISO 4217 code of the currency; null for points and coupons."""
    moved: AmountText
    """Balance that moved."""
    debt: AmountText
    """Debt that moved."""
    repaid: AmountText
    """Part of the debt that the balance repaid at once."""


@dataclass(frozen=True)
class MergeConflict(Described):
    """Something of which one person has only one. `effect` says what became of `other`."""

    kind: ConflictKind
    """Kind of what one person has only once."""
    effect: str
    """Code of the outcome for `other`."""
    message: str
    """Explanation for people."""
    campaign: str | None = None
    """Slug of the campaign, if it concerns one."""
    surviving: str | None = None
    """Id of the survivor."""
    other: str | None = None
    """Id of the other one."""


@dataclass(frozen=True)
class MergedId(Described):
    """An id that was merged into a customer: by whom, when and why."""

    id: str
    """Id that was merged into the customer."""
    merged_at: datetime
    """Time of the merge."""
    merged_by: str
    """API key or event source that merged it."""
    reason: str | None
    """Reason that was given."""


@dataclass(frozen=True)
class MergeReport(Described):
    """Report of a merge, or in a preview of what it would do: the id `merged` now belongs to `customer`."""

    customer: str
    """The caller's id of the customer who stays."""
    merged: str
    """Id that belongs to the customer now."""
    merged_at: datetime
    """Time of the merge."""
    merged_by: str
    """API key or event source that merged them."""
    reason: str | None
    """Reason that was given."""
    moved: dict[str, int]
    """Numbers of rows by kind."""
    balances: list[MergedBalance]
    """Balances that moved."""
    conflicts: list[MergeConflict]
    """Things that both had and one person has only once."""
    preview: bool = False
    """True if nothing was changed."""
