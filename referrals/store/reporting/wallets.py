"""Wallets of customers: sums of ledger entries."""

from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime

from sqlalchemy import Select, case, func, select

from referrals.domain.requests import OrderTotal
from referrals.domain.rewards import Asset
from referrals.domain.states import RewardState
from referrals.errors import UnknownCustomerError, UnknownRedemptionError
from referrals.store import views
from referrals.store.customers import profiles, survivors
from referrals.store.db.pages import Cursor, newest_first
from referrals.store.db.sql import Tx, rows
from referrals.store.ledger import redemptions
from referrals.store.rewards import coupons
from referrals.store.rewards.reward_rows import amount_text
from referrals.store.schema import (
    CustomerRow,
    LedgerEntryRow,
    ledger_accounts,
    ledger_entries,
    rewards,
)
from referrals.store.views import Page

Kind = tuple[str, str]
"""Type and currency, the latter empty for points."""

# A wallet grows by what it is credited, a debt by what it is debited.
SIGNED = case(
    (
        (ledger_accounts.c.kind == "wallet")
        == (ledger_entries.c.credit_id == ledger_accounts.c.id),
        ledger_entries.c.amount,
    ),
    else_=-ledger_entries.c.amount,
)


async def require_customer(tx: Tx, customer: str) -> CustomerRow:
    """Return the customer with the caller's id. Raises UnknownCustomerError."""
    row = await profiles.find(tx, customer)
    if row is None:
        raise UnknownCustomerError(customer)
    return row


async def get_wallet(tx: Tx, customer: str) -> views.Wallet:
    """Return the balance of every asset that the customer ever had or is about to get. Raises UnknownCustomerError."""
    row = await require_customer(tx, customer)
    customer_id = row.id
    amounts: dict[Kind, dict[str, int]] = defaultdict(dict)
    for statement in (_select_balances(customer_id), _select_pending(customer_id)):
        for kind, asset_type, currency, amount in await rows(tx, statement):
            amounts[asset_type, currency or ""][kind] = int(amount)
    held = await coupons.list_coupons(tx, await survivors.ids_of(tx, row, customer))
    return views.Wallet(row.external_id, list(_balance_views(sorted(amounts.items()))), held)


async def redeem(
    tx: Tx, customer: str, asset: Asset, amount: int, key: str, memo: str, now: datetime
) -> views.Wallet:
    """Spend points or gift credit. Return the remaining balances.

    Raises:
        UnknownCustomerError, InsufficientBalanceError, IdempotencyKeyReusedError.
    """
    customer_id, ids = await _lock_spender(tx, customer)
    await redemptions.redeem(tx, customer_id, ids, asset, amount, key, memo, now)
    return await get_wallet(tx, customer)


async def redeem_coupon(
    tx: Tx, customer: str, code: str, key: str, now: datetime, order: OrderTotal | None = None
) -> views.Wallet:
    """Redeem a coupon. Return the wallet after it. Raises the errors of `coupons.redeem`, and UnknownCustomerError."""
    _, ids = await _lock_spender(tx, customer)
    await coupons.redeem(tx, ids, code, key, order, now)
    return await get_wallet(tx, customer)


async def reverse_redemption(
    tx: Tx, customer: str, key: str, reason: str, now: datetime
) -> views.Wallet:
    """Reverse what the customer spent by the key: points or gift credit, a coupon, or both. A repeat changes nothing.

    Returns the wallet after it. Raises UnknownCustomerError and UnknownRedemptionError.
    """
    customer_id, ids = await _lock_spender(tx, customer)
    coupon = await coupons.reverse_redemption(tx, ids, key, reason, now)
    spent = await redemptions.reverse(tx, customer_id, ids, key, reason, now)
    if not (coupon or spent):
        raise UnknownRedemptionError(key)
    return await get_wallet(tx, customer)


async def _lock_spender(tx: Tx, named: str) -> tuple[str, list[str]]:
    """Lock the customer, so that an idempotency key belongs to one redemption; return its id, and all ids of the same customer."""
    customer = await survivors.lock(tx, (await require_customer(tx, named)).id)
    return customer.id, await survivors.ids_of(tx, customer, named)


async def list_entries(tx: Tx, customer: str, cursor: Cursor) -> Page[views.LedgerEntry]:
    """List the ledger entries behind the balances. Raises UnknownCustomerError."""
    statement = _select_entries((await require_customer(tx, customer)).id).add_columns(
        ledger_entries,
        ledger_accounts.c.kind,
        ledger_accounts.c.type,
        ledger_accounts.c.currency,
        SIGNED.label("signed"),
    )

    def view(row: _ListedEntry) -> views.LedgerEntry:
        return views.LedgerEntry(
            id=str(row.id),
            at=row.at,
            account=row.kind,
            type=row.type,
            currency=row.currency or None,
            amount=amount_text(row.signed, row.currency or None),
            reward=row.reward_id,
            reverses=str(row.reverses_id) if row.reverses_id else None,
            memo=row.memo,
        )

    return await newest_first(tx, statement, (ledger_entries.c.id,), cursor, view)


class _ListedEntry(LedgerEntryRow):
    """An entry with the customer's account, and the amount as it changes that account."""

    kind: str
    type: str
    currency: str
    signed: int


def _select_entries(customer_id: str) -> Select[()]:
    """Return a SELECT from the entries with the customer's accounts on either side."""
    return (
        select()
        .select_from(ledger_accounts)
        .join(
            ledger_entries,
            ledger_accounts.c.id.in_([ledger_entries.c.debit_id, ledger_entries.c.credit_id]),
        )
        .where(
            ledger_accounts.c.owner == customer_id, ledger_accounts.c.kind.in_(["wallet", "owed"])
        )
    )


def _select_balances(customer_id: str) -> Select[str, str, str | None, int]:
    asset = (ledger_accounts.c.kind, ledger_accounts.c.type, ledger_accounts.c.currency)
    return _select_entries(customer_id).add_columns(*asset, func.sum(SIGNED)).group_by(*asset)


def _select_pending(customer_id: str) -> Select[str, str, str | None, int]:
    asset = (rewards.c.state, rewards.c.type, rewards.c.currency)
    return (
        select(*asset, func.sum(rewards.c.amount))
        .where(
            rewards.c.customer_id == customer_id,
            rewards.c.state == RewardState.PENDING,
            rewards.c.type != "coupon",
        )
        .group_by(*asset)
    )


def _balance_views(amounts: Iterable[tuple[Kind, dict[str, int]]]) -> Iterable[views.Balance]:
    for (asset_type, code), by_kind in amounts:
        currency = code or None
        balance, pending, owed = (
            amount_text(by_kind.get(kind, 0), currency) for kind in ("wallet", "pending", "owed")
        )
        yield views.Balance(asset_type, currency, balance, pending, owed)
