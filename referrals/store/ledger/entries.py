"""Ledger entries: build and insert them. An entry is inserted once for each key and never changed."""

from datetime import datetime
from typing import Any

from referrals.store.db.sql import Tx, add
from referrals.store.schema import ledger_entries


def new_entry(
    key: str,
    debit: int,
    credit: int,
    amount: int,
    memo: str,
    now: datetime,
    reward_id: str | None = None,
    reverses: int | None = None,
) -> dict[str, Any]:
    """Build an entry that moves `amount` from the account `debit` to the account `credit`."""
    return {
        "key": key,
        "debit_id": debit,
        "credit_id": credit,
        "amount": amount,
        "reward_id": reward_id,
        "reverses_id": reverses,
        "at": now,
        "memo": memo,
    }


async def insert_entries(tx: Tx, *values: dict[str, Any]) -> None:
    """Insert the entries; skip those whose key exists."""
    await add(tx, ledger_entries, *values, once=("key",))
