"""Redemptions: spend from a wallet, and reverse it."""

from collections.abc import Sequence
from datetime import datetime

from referrals.domain.rewards import Asset
from referrals.errors import IdempotencyKeyReusedError, InsufficientBalanceError
from referrals.store.db.sql import Tx, find, get
from referrals.store.ledger.accounts import (
    account_asset,
    balance_of,
    get_account_id,
    lock_account,
    lock_accounts,
)
from referrals.store.ledger.debts import Credit, repay
from referrals.store.ledger.entries import insert_entries, new_entry
from referrals.store.ledger.expiry import expire_in_wallets, expire_restored
from referrals.store.schema import LedgerEntryRow, ledger_accounts, ledger_entries


async def redeem(
    tx: Tx,
    customer_id: str,
    ids: Sequence[str],
    asset: Asset,
    amount: int,
    key: str,
    memo: str,
    now: datetime,
) -> LedgerEntryRow:
    """Spend from the wallet, once for each idempotency key, and never below zero.

    The customer's row is locked. `ids` are all ids of the customer; a key that several of them used belongs to the first.

    Returns the entry; for a repeated key, the existing one.

    Raises:
        InsufficientBalanceError: the wallet holds less.
        IdempotencyKeyReusedError: the key belongs to a redemption from another wallet, of another amount, or that was
            reversed: a repeat would seem to be paid.
    """
    wallet = await get_account_id(tx, "wallet", customer_id, asset)
    spent = await get_account_id(tx, "spent", customer_id, asset)
    await expire_in_wallets(tx, [await lock_account(tx, wallet)], now)
    entry = await _find_redemption(tx, ids, key)
    if entry is None:
        entry_key = f"redeem:{ids[0]}:{key}"
        if await balance_of(tx, wallet) < amount:
            raise InsufficientBalanceError
        await insert_entries(tx, new_entry(entry_key, wallet, spent, amount, memo, now))
        entry = await get(tx, ledger_entries, key=entry_key)
    elif await _is_reversed(tx, entry):
        raise IdempotencyKeyReusedError(key)
    spent_from = await get(tx, ledger_accounts, id=entry.debit_id)
    if (spent_from.type, spent_from.currency, entry.amount) != (*account_asset(asset), amount):
        raise IdempotencyKeyReusedError(key)
    return entry


async def reverse(
    tx: Tx, customer_id: str, ids: Sequence[str], key: str, memo: str, now: datetime
) -> bool:
    """Give back what was spent by the key, once; return whether anything was spent by it.

    `ids` are all ids of the customer. The grants get their parts back, with their expiry. Debts of
    rewards that could not be taken back because of the spending are repaid.
    """
    spending = await _find_redemption(tx, ids, key)
    if spending is None:
        return False
    spent_from = await get(tx, ledger_accounts, id=spending.debit_id)
    asset = Asset(spent_from.type, spent_from.currency or None)
    wallet_id = await get_account_id(tx, "wallet", customer_id, asset)
    owed = await get_account_id(tx, "owed", customer_id, asset)
    await lock_accounts(tx, {wallet_id, owed})
    if await _is_reversed(tx, spending):
        return True
    reversal_key = _reversal_key(spending)
    reversal = new_entry(
        reversal_key,
        spending.credit_id,
        wallet_id,
        spending.amount,
        memo,
        now,
        reverses=spending.id,
    )
    await insert_entries(tx, reversal)
    credit = Credit(reversal_key, wallet_id, owed, spending.amount, since=spending.id)
    await repay(tx, credit, now)
    wallet = await get(tx, ledger_accounts, id=wallet_id)
    await expire_in_wallets(tx, [wallet], now)
    await expire_restored(tx, wallet, f":{spending.id}", now)
    return True


async def _find_redemption(tx: Tx, ids: Sequence[str], key: str) -> LedgerEntryRow | None:
    for customer_id in ids:
        if entry := await find(tx, ledger_entries, key=f"redeem:{customer_id}:{key}"):
            return entry
    return None


async def _is_reversed(tx: Tx, spending: LedgerEntryRow) -> bool:
    return await find(tx, ledger_entries, key=_reversal_key(spending)) is not None


def _reversal_key(spending: LedgerEntryRow) -> str:
    return f"reverse:{spending.key}"
