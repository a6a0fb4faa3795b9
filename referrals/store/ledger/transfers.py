"""Transfer of a customer's wallets and debts to another customer, when the two are merged."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select

from referrals.domain.rewards import Asset
from referrals.domain.wallet_lots import UNNAMED_LOT
from referrals.store.db.sql import Tx, get, rows_of
from referrals.store.ledger import debts
from referrals.store.ledger.accounts import (
    account_key,
    balance_of,
    get_account_ids,
    lock_accounts,
)
from referrals.store.ledger.debts import Credit
from referrals.store.ledger.entries import insert_entries, new_entry
from referrals.store.ledger.expiry import expire_in_wallets, remaining_by_reward
from referrals.store.schema import LedgerAccountRow, ledger_accounts


@dataclass(frozen=True)
class Transfer:
    """Amounts of one asset that were transferred: the balance, the debt, and how much of the debt was repaid at once."""

    asset: Asset
    moved: int
    debt: int
    repaid: int


@dataclass(frozen=True)
class _Accounts:
    """Ids of the accounts of one asset, by their kinds and owners; all are locked."""

    wallet_from: int
    owed_from: int
    wallet_to: int
    owed_to: int


async def transfer_all(
    tx: Tx, from_id: str, to_id: str, memo: str, now: datetime
) -> list[Transfer]:
    """Transfer all wallets and debts, grant by grant, so that each keeps its expiry. A balance repays a debt.

    Nobody else may use the accounts of `from_id` afterwards.
    """
    return [
        await _transfer(tx, asset, from_id, to_id, memo, now)
        for asset in await _assets_of(tx, from_id)
    ]


async def _assets_of(tx: Tx, owner: str) -> Sequence[Asset]:
    statement = select(ledger_accounts).where(
        ledger_accounts.c.kind.in_(["wallet", "owed"]), ledger_accounts.c.owner == owner
    )
    found = await rows_of(tx, LedgerAccountRow, statement)
    assets = sorted({(row.type, row.currency) for row in found})
    return [Asset(kind, currency or None) for kind, currency in assets]


async def _transfer(
    tx: Tx, asset: Asset, from_id: str, to_id: str, memo: str, now: datetime
) -> Transfer:
    accounts = await _lock_accounts(tx, asset, from_id, to_id)
    wallets = [
        await get(tx, ledger_accounts, id=each)
        for each in (accounts.wallet_from, accounts.wallet_to)
    ]
    await expire_in_wallets(tx, wallets, now)
    key = f"merge:{from_id}:{asset.type}:{asset.currency or ''}"
    moved = await _move_wallet(tx, accounts, key, memo, now)
    debt = -await balance_of(tx, accounts.owed_from)
    await debts.transfer(tx, accounts.owed_from, accounts.owed_to, memo, now)
    owed = -await balance_of(tx, accounts.owed_to)
    balance = await balance_of(tx, accounts.wallet_to)
    await debts.repay(tx, Credit(key, accounts.wallet_to, accounts.owed_to, balance), now)
    return Transfer(asset, moved, debt, owed + await balance_of(tx, accounts.owed_to))


async def _lock_accounts(tx: Tx, asset: Asset, from_id: str, to_id: str) -> _Accounts:
    keys = [
        account_key(kind, owner, asset) for owner in (from_id, to_id) for kind in ("wallet", "owed")
    ]
    ids = await get_account_ids(tx, set(keys))
    await lock_accounts(tx, set(ids.values()))
    return _Accounts(*(ids[key] for key in keys))


async def _move_wallet(tx: Tx, accounts: _Accounts, key: str, memo: str, now: datetime) -> int:
    """Move the remainder of each grant, and the rest, which may be below zero. Return the sum."""
    source, destination = accounts.wallet_from, accounts.wallet_to
    balance = await balance_of(tx, source)
    found = await remaining_by_reward(tx, [source])
    lots = {lot: amount for lot, amount in found.items() if amount > 0 and lot != UNNAMED_LOT}
    moves = [
        new_entry(f"{key}:{lot}", source, destination, amount, memo, now, lot)
        for lot, amount in lots.items()
    ]
    rest = balance - sum(lots.values())
    if rest > 0:
        moves.append(new_entry(f"{key}:rest", source, destination, rest, memo, now))
    elif rest < 0:
        moves.append(new_entry(f"{key}:rest", destination, source, -rest, memo, now))
    await insert_entries(tx, *moves)
    return balance
