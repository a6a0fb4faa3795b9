"""Views of wallets, coupons and ledger entries."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from referrals.domain.field_docs import Described


@dataclass(frozen=True)
class Balance(Described):
    """A customer's balance in points or a currency, with pending rewards and debt."""

    type: str
    currency: str | None
    balance: str
    pending: str
    owed: str


@dataclass(frozen=True)
class Coupon(Described):
    code: str
    discount: dict[str, Any]
    state: str
    expires_at: datetime | None
    reward: str


@dataclass(frozen=True)
class CouponPool(Described):
    """Numbers of coupons of a pool by state."""

    available: int
    issued: int
    redeemed: int
    void: int


@dataclass(frozen=True)
class LineError(Described):
    """The reason why a line of a file cannot be imported."""

    line: int
    column: str
    reason: str


@dataclass(frozen=True)
class ImportResult(Described):
    """Result of an import: all lines were imported, or none. `ignored_columns` of a file were not read."""

    imported: int
    errors: list[LineError]
    ignored_columns: list[str]


@dataclass(frozen=True)
class Wallet(Described):
    customer: str
    balances: list[Balance]
    coupons: list[Coupon]


@dataclass(frozen=True)
class LedgerEntry(Described):
    """A ledger entry of a customer's wallet or debt, with a signed amount."""

    id: str
    at: datetime
    account: str
    type: str
    currency: str | None
    amount: str
    reward: str | None
    reverses: str | None
    memo: str
