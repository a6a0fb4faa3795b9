"""Redemptions: spend from a wallet."""

from collections.abc import Sequence
from datetime import datetime

from referrals.domain.rewards import Asset
from referrals.errors import IdempotencyKeyReusedError, InsufficientBalanceError
from referrals.store.db.sql import Tx, find, get
from referrals.store.ledger.accounts import account_asset, balance_of, get_account_id, lock_account
from referrals.store.ledger.entries import insert_entries, new_entry
from referrals.store.ledger.expiry import expire_in_wallets
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

    The customer's row is locked. `ids` stand for the customer; a key that several of them used belongs to the first.

    Returns the entry; for a repeated key, the existing one.

    Raises:
        InsufficientBalanceError: the wallet holds less.
        IdempotencyKeyReusedError: the key belongs to a redemption from another wallet or of another amount.
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
    spent_from = await get(tx, ledger_accounts, id=entry.debit_id)
    if (spent_from.type, spent_from.currency, entry.amount) != (*account_asset(asset), amount):
        raise IdempotencyKeyReusedError(key)
    return entry


async def _find_redemption(tx: Tx, ids: Sequence[str], key: str) -> LedgerEntryRow | None:
    for customer_id in ids:
        if entry := await find(tx, ledger_entries, key=f"redeem:{customer_id}:{key}"):
            return entry
    return None
