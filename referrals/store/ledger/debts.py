"""Debts: amounts of rewards that customers have spent, so that they could not be reversed."""

from datetime import datetime

from sqlalchemy import func, select

from referrals.store.db.sql import Tx, one
from referrals.store.ledger.accounts import asset_of, get_account_id, lock_account
from referrals.store.ledger.entries import insert_entries, new_entry
from referrals.store.schema import LedgerEntryRow, RewardRow, ledger_accounts, ledger_entries


async def record_shortfall(
    tx: Tx, reward: RewardRow, grant: LedgerEntryRow, amount: int, memo: str, now: datetime
) -> None:
    """Record that the customer owes `amount` of a reward of the built-in ledger that is being reversed."""
    debt = await get_account_id(tx, "owed", reward.customer_id, asset_of(reward))
    key = f"owe:{reward.key}"
    entry = new_entry(key, debt, grant.debit_id, amount, memo, now, reward, grant.id)
    await insert_entries(tx, entry)


async def record_debt(tx: Tx, reward: RewardRow, amount: int, memo: str, now: datetime) -> None:
    """Record that the customer owes `amount` of a reward of an external provider, at most the reward's amount."""
    debt = await get_account_id(tx, "owed", reward.customer_id, asset_of(reward))
    spent = await get_account_id(tx, "spent", reward.customer_id, asset_of(reward))
    await lock_account(tx, debt)
    recorded = await debt_of(tx, reward)
    added = min(amount, reward.amount - recorded)
    if added > 0:
        key = f"owe:{reward.key}:{recorded + added}"
        await insert_entries(tx, new_entry(key, debt, spent, added, memo, now, reward))


async def debt_of(tx: Tx, reward: RewardRow) -> int:
    """Return the amount that the customer owes for the reward."""
    statement = (
        select(func.coalesce(func.sum(ledger_entries.c.amount), 0))
        .join(ledger_accounts, ledger_accounts.c.id == ledger_entries.c.debit_id)
        .where(ledger_entries.c.reward_id == reward.id, ledger_accounts.c.kind == "owed")
    )
    return int((await one(tx, statement))[0])
