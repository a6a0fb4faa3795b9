"""Debts: amounts of rewards that customers have spent, so that they could not be reversed, and their repayment.

A debt is an entry that debits an `owed` account. The entries that repay it credit an `owed` account and refer to it by
`reverses_id`. Later rewards of the same asset repay debts first: those of the built-in ledger from the wallet, those of
external providers with a part that the provider does not grant. If such a reward is not granted or is rolled back, what
it repaid becomes a new debt.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, bindparam, func, literal, select

from referrals.store.db.sql import Tx, first, one, rows_of
from referrals.store.ledger.accounts import (
    account_key,
    asset_of,
    balance_of,
    get_account_id,
    get_account_ids,
    lock_account,
)
from referrals.store.ledger.entries import insert_entries, new_entry
from referrals.store.schema import (
    LedgerEntryRow,
    RewardRow,
    ledger_accounts,
    ledger_entries,
    rewards,
)

_repayments = ledger_entries.alias("repayments")
_owed_accounts = select(ledger_accounts.c.id).where(ledger_accounts.c.kind == "owed")
_repaid = (
    select(func.coalesce(func.sum(_repayments.c.amount), 0))
    .where(
        _repayments.c.reverses_id == ledger_entries.c.id,
        _repayments.c.credit_id.in_(_owed_accounts),
    )
    .scalar_subquery()
)
_left = ledger_entries.c.amount - _repaid


async def record_shortfall(
    tx: Tx, reward: RewardRow, grant: LedgerEntryRow, amount: int, memo: str, now: datetime
) -> None:
    """Record that the customer owes `amount` of a reward of the built-in ledger that is being reversed."""
    debt = await get_account_id(tx, "owed", reward.customer_id, asset_of(reward))
    key = f"owe:{reward.key}"
    entry = new_entry(key, debt, grant.debit_id, amount, memo, now, reward.id, grant.id)
    await insert_entries(tx, entry)


async def record_debt(tx: Tx, reward: RewardRow, amount: int, memo: str, now: datetime) -> None:
    """Record that the customer owes `amount` of a reward of an external provider, at most what the provider granted."""
    debt = await get_account_id(tx, "owed", reward.customer_id, asset_of(reward))
    spent = await get_account_id(tx, "spent", reward.customer_id, asset_of(reward))
    await lock_account(tx, debt)
    recorded = await debt_of(tx, reward)
    added = min(amount, net_amount(reward) - recorded)
    if added > 0:
        key = f"owe:{reward.key}:{recorded + added}"
        await insert_entries(tx, new_entry(key, debt, spent, added, memo, now, reward.id))


async def debt_of(tx: Tx, reward: RewardRow) -> int:
    """Return how much of an external provider's reward was spent and recorded as owed, whether or not it has been repaid."""
    statement = (
        select(func.coalesce(func.sum(ledger_entries.c.amount), 0))
        .join(ledger_accounts, ledger_accounts.c.id == ledger_entries.c.debit_id)
        .where(
            ledger_entries.c.reward_id == reward.id,
            ledger_accounts.c.kind == "owed",
            ledger_entries.c.reverses_id.is_(None),  # neither transferred nor owed again
        )
    )
    return int((await one(tx, statement))[0])


async def transfer(tx: Tx, owed_from: int, owed_to: int, memo: str, now: datetime) -> None:
    """Transfer what is left of each debt to another customer's account. Both accounts are locked."""
    left = await rows_of(tx, _Debt, _DEBTS, owed=owed_from, since=0, key_prefix=None)
    moved = [
        new_entry(
            f"move:{debt.id}", owed_to, owed_from, debt.left, memo, now, debt.reward_id, debt.id
        )
        for debt in left
    ]
    await insert_entries(tx, *moved)


async def is_owed(tx: Tx, of: ColumnElement[bool]) -> bool:
    """Check whether anything is still owed for these rewards."""
    statement = (
        select(ledger_entries.c.id)
        .join(rewards, rewards.c.id == ledger_entries.c.reward_id)
        .where(of, ledger_entries.c.debit_id.in_(_owed_accounts), _left > 0)
    )
    return await first(tx, statement.limit(1)) is not None


@dataclass(frozen=True)
class Credit:
    """An amount of the account `source` that repays debts on the account `owed`.

    Debts of the rewards with this `key_prefix` come first, then older ones. `since` is the id of the first entry that
    counts.
    """

    key: str
    source: int
    owed: int
    amount: int
    key_prefix: str | None = None
    since: int = 0


class _Debt(NamedTuple):
    id: int
    reward_id: str | None
    left: int


class _Repayment(NamedTuple):
    """A repayment by a reward, with the id of the reward that was owed."""

    id: int
    debit_id: int
    amount: int
    owed_for: str | None


async def repay(tx: Tx, credit: Credit, now: datetime) -> int:
    """Repay debts from a credited wallet, once for the credit's key; return the amount. Both accounts are locked."""
    available = min(credit.amount, await balance_of(tx, credit.source))
    entries = _repayments_by(replace(credit, amount=available), await _debts_of(tx, credit), now)
    await insert_entries(tx, *entries)
    return sum(int(entry["amount"]) for entry in entries)


async def repay_with(tx: Tx, reward: RewardRow, now: datetime) -> int:
    """Repay debts with a reward before an external provider grants the rest of it; return the amount repaid."""
    asset = asset_of(reward)
    key = account_key("owed", reward.customer_id, asset)
    owed = (await get_account_ids(tx, set(), optional={key})).get(key)
    if owed is None:
        return 0
    issued = await get_account_id(tx, "issued", reward.campaign_id, asset)
    await lock_account(tx, owed)
    credit = Credit(reward.key, issued, owed, reward.amount, reward.key_prefix)
    entries = _repayments_by(credit, await _debts_of(tx, credit), now, reward.id)
    await insert_entries(tx, *entries)
    return sum(int(entry["amount"]) for entry in entries)


async def _debts_of(tx: Tx, credit: Credit) -> Sequence[_Debt]:
    """Return what the credit's account owes, in the order in which it is repaid."""
    return await rows_of(
        tx, _Debt, _DEBTS, owed=credit.owed, since=credit.since, key_prefix=credit.key_prefix
    )


async def owe_again(tx: Tx, reward: RewardRow, memo: str, now: datetime) -> int:
    """Turn what the reward of an external provider has repaid into new debts; return the amount."""
    owed = await get_account_id(tx, "owed", reward.customer_id, asset_of(reward))
    found = await rows_of(tx, _Repayment, _REPAYMENTS, repaying_id=reward.id)
    debts = [
        new_entry(
            f"owe-again:{repayment.id}",
            owed,
            repayment.debit_id,
            repayment.amount,
            memo,
            now,
            repayment.owed_for,
            repayment.id,
        )
        for repayment in found
    ]
    await insert_entries(tx, *debts)
    return sum(repayment.amount for repayment in found)


def net_amount(reward: RewardRow) -> int:
    """Return the amount of the reward less what it repaid."""
    return int(reward.amount) - (reward.repaid or 0)


def _repayments_by(
    credit: Credit, debts: Sequence[_Debt], now: datetime, reward_id: str | None = None
) -> list[dict[str, Any]]:
    """Return the entries that repay debts; they name the reward that repays them, or else the one that is owed."""
    available, entries = credit.amount, []
    for debt in debts:
        amount = min(available, debt.left)
        if amount <= 0:
            break
        available -= amount
        entries.append(
            new_entry(
                f"repay:{credit.key}:{debt.id}",
                credit.source,
                credit.owed,
                amount,
                "Repaid what was owed",
                now,
                reward_id or debt.reward_id,
                debt.id,
            )
        )
    return entries


_DEBTS = (
    select(ledger_entries.c.id, ledger_entries.c.reward_id, _left.label("left"))
    .outerjoin(rewards, rewards.c.id == ledger_entries.c.reward_id)
    .where(
        ledger_entries.c.debit_id == bindparam("owed"),
        ledger_entries.c.id >= bindparam("since"),
        _left > 0,
    )
    .order_by(
        func.coalesce(rewards.c.key_prefix == bindparam("key_prefix"), literal(False)).desc(),
        ledger_entries.c.id,
    )
)

_debts = ledger_entries.alias("debts")
_REPAYMENTS = (
    select(
        ledger_entries.c.id,
        ledger_entries.c.debit_id,
        ledger_entries.c.amount,
        _debts.c.reward_id.label("owed_for"),
    )
    .join(_debts, _debts.c.id == ledger_entries.c.reverses_id)
    .join(ledger_accounts, ledger_accounts.c.id == ledger_entries.c.debit_id)
    .where(
        ledger_entries.c.reward_id == bindparam("repaying_id"),
        ledger_accounts.c.kind == "issued",  # not from a wallet
    )
    .order_by(ledger_entries.c.id)
)
