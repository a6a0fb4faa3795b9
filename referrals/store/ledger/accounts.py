"""Ledger accounts: find or create them, lock them, and compute their balance."""

from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from functools import cache
from typing import Any

from sqlalchemy import Select, and_, bindparam, func, or_, select

from referrals.domain.rewards import Asset
from referrals.store.db.sql import Tx, get, insert_once, locked, one, rows, rows_of
from referrals.store.schema import LedgerAccountRow, RewardRow, ledger_accounts, ledger_entries

AccountKey = tuple[str, str, str, str]
"""Kind, owner, type and currency of an account."""

_KEY_COLUMNS = {name: ledger_accounts.c[name] for name in ("kind", "owner", "type", "currency")}


def asset_of(reward: RewardRow) -> Asset:
    return Asset(reward.type, reward.currency)


def account_asset(asset: Asset) -> tuple[str, str]:
    """Return type and currency as accounts have them."""
    return asset.type, asset.currency or ""


def account_key(kind: str, owner: str, asset: Asset) -> AccountKey:
    return kind, owner, *account_asset(asset)


async def get_account_id(tx: Tx, kind: str, owner: str, asset: Asset) -> int:
    """Return the id of the account; create it if it does not exist."""
    key = account_key(kind, owner, asset)
    return (await get_account_ids(tx, {key}))[key]


async def get_account_ids(
    tx: Tx, keys: AbstractSet[AccountKey], optional: AbstractSet[AccountKey] = frozenset()
) -> dict[AccountKey, int]:
    """Return the ids by key, those of `optional` accounts only if they exist.

    Missing accounts are created in sorted order, so that two transactions cannot deadlock.
    """
    ids = await _find_ids(tx, keys | optional)
    if missing := sorted(keys - ids.keys()):
        new = [dict(zip(_KEY_COLUMNS.keys(), key, strict=True)) for key in missing]
        insertion = insert_once(tx, ledger_accounts, ()).returning(ledger_accounts)
        created: Sequence[Any] = (await tx.execute(insertion, new)).all()
        ids |= _ids_by_key(created)
    if created_by_others := keys - ids.keys():
        ids |= await _find_ids(tx, created_by_others)
    return ids


async def lock_account(tx: Tx, account_id: int) -> LedgerAccountRow:
    return await get(tx, ledger_accounts, lock=True, id=account_id)


async def lock_accounts(tx: Tx, account_ids: set[int]) -> None:
    """Lock the accounts in the order of their ids. SQLite has a single writer, so nothing needs a lock there."""
    if tx.dialect.name != "sqlite":
        ids = select(ledger_accounts.c.id).where(ledger_accounts.c.id.in_(account_ids))
        await rows(tx, locked(ids.order_by(ledger_accounts.c.id)))


async def balance_of(tx: Tx, account_id: int) -> int:
    """Return the account's credits minus its debits."""
    credit = select(func.coalesce(func.sum(ledger_entries.c.amount), 0)).where(
        ledger_entries.c.credit_id == account_id
    )
    debit = select(func.coalesce(func.sum(ledger_entries.c.amount), 0)).where(
        ledger_entries.c.debit_id == account_id
    )
    return int((await one(tx, select(credit.scalar_subquery() - debit.scalar_subquery())))[0])


async def _find_ids(tx: Tx, keys: AbstractSet[AccountKey]) -> dict[AccountKey, int]:
    parameters = {
        f"{name}_{number}": part
        for number, key in enumerate(keys)
        for name, part in zip(_KEY_COLUMNS, key, strict=True)
    }
    return _ids_by_key(
        await rows_of(tx, LedgerAccountRow, _select_by_keys(len(keys)), **parameters)
    )


@cache
def _select_by_keys(count: int) -> Select[Any]:
    """Compare all key columns of each account, so that both databases use the unique index."""
    return select(ledger_accounts).where(
        or_(
            *(
                and_(*(column == bindparam(f"{name}_{n}") for name, column in _KEY_COLUMNS.items()))
                for n in range(count)
            )
        )
    )


def _ids_by_key(found: Sequence[LedgerAccountRow]) -> dict[AccountKey, int]:
    return {(row.kind, row.owner, row.type, row.currency): row.id for row in found}
