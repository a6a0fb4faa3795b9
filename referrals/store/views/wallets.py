"""Views of wallets, coupons and ledger entries."""

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any

from referrals.domain.field_docs import Described
from referrals.store.views.common import AmountText, AssetType, CurrencyCode, one_of


@dataclass(frozen=True)
class Balance(Described):
    """A customer's balance in points or a currency, with pending rewards and debt."""

    type: AssetType
    """Points or gift credit."""
    currency: CurrencyCode | None
    """ISO 4217 code of the currency; null for points and coupons."""
    balance: AmountText
    """Amount that can be spent now."""
    pending: AmountText
    """Rewards that are not granted yet."""
    owed: AmountText
    """Debt after a roll-back, which later rewards repay first."""


@dataclass(frozen=True)
class Coupon(Described):
    """A coupon of a customer."""

    code: str
    """Code that the customer enters."""
    discount: dict[str, Any]
    """Terms of the discount."""
    state: Annotated[str, one_of(("issued", "redeemed", "void"))]
    """Current state."""
    expires_at: datetime | None
    """Time at which it expires."""
    reward: str
    """Id of the reward that issued it."""


@dataclass(frozen=True)
class CouponPool(Described):
    """Numbers of coupons of a pool by state."""

    available: int
    """Coupons that can be issued."""
    issued: int
    """Coupons that customers have."""
    redeemed: int
    """Coupons that were used."""
    void: int
    """Coupons that were withdrawn."""


@dataclass(frozen=True)
class LineError(Described):
    """The reason why a line of a file cannot be imported."""

    line: int
    """Line of the file, or position in the list."""
    column: str
    """Column of the file."""
    reason: str
    """Explanation of the fault."""


@dataclass(frozen=True)
class ImportResult(Described):
    """Result of an import: all lines were imported, or none. `ignored_columns` of a file were not read."""

    imported: int
    """Number of codes that were added."""
    errors: list[LineError]
    """Lines that cannot be imported; nothing was then."""
    ignored_columns: list[str]
    """Columns that were not read."""


@dataclass(frozen=True)
class Wallet(Described):
    """Balances and coupons of a customer."""

    customer: str
    """The caller's id of the customer."""
    balances: list[Balance]
    """Balances by type and currency."""
    coupons: list[Coupon]
    """Coupons, latest first."""


@dataclass(frozen=True)
class LedgerEntry(Described):
    """A ledger entry of a customer's wallet or debt, with a signed amount."""

    id: str
    """Id of the entry."""
    at: datetime
    """Time of the booking."""
    account: str
    """Account: what can be spent, or what is owed."""
    type: AssetType
    """Points or gift credit."""
    currency: CurrencyCode | None
    """ISO 4217 code of the currency; null for points and coupons."""
    amount: AmountText
    """Signed amount."""
    reward: str | None
    """Id of the reward that was booked."""
    reverses: str | None
    """Id of the entry that it reverses."""
    memo: str
    """Text of the booking."""
