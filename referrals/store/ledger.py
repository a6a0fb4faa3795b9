"""The own ledger: append-only, double-entry, exact.

An entry moves an amount from one account to another, so that every entry balances by its shape. A grant moves from
what the campaign has `issued` to the customer's `wallet`; a roll-back is a new entry the other way. What the wallet
no longer holds then is taken from the customer's `owed` account, unless the campaign allows a negative wallet.
"""

from datetime import datetime
from typing import Any

from sqlalchemy import Row, func, literal, select

from referrals.domain.rewards import Asset
from referrals.store.schema import accounts, entries
from referrals.store.sql import Tx, first, insert, locked, one


async def grant(tx: Tx, reward: Row[Any], memo: str, now: datetime) -> None:
    """Pay the reward into the customer's wallet, once: its key is the entry's."""
    issued = await _account(tx, "issued", reward.campaign_id, reward)
    wallet = await _account(tx, "wallet", reward.customer_id, reward)
    await _enter(tx, f"grant:{reward.key}", issued, wallet, reward.amount, reward, None, memo, now)


async def reverse(
    tx: Tx, reward: Row[Any], memo: str, now: datetime, *, allow_negative: bool
) -> int:
    """Take the reward back, once. Returns what could not be taken and is owed now (0 where negative is allowed)."""
    granted = await one(tx, select(entries).where(entries.c.key == f"grant:{reward.key}"))
    wallet, issued = granted.credit_id, granted.debit_id
    await _lock(tx, wallet)
    amount = int(reward.amount)
    held = amount if allow_negative else max(await balance_of(tx, wallet), 0)
    taken, owed = min(held, amount), max(amount - held, 0)
    if taken:
        await _enter(
            tx, f"reverse:{reward.key}", wallet, issued, taken, reward, granted.id, memo, now
        )
    if owed:
        debt = await _account(tx, "owed", reward.customer_id, reward)
        await _enter(tx, f"owe:{reward.key}", debt, issued, owed, reward, granted.id, memo, now)
    return owed


async def owe(tx: Tx, reward: Row[Any], amount: int, memo: str, now: datetime) -> None:
    """Of a reward that another provider issued, so much is spent over there and owed here; never more than all."""
    debt = await _account(tx, "owed", reward.customer_id, reward)
    spent = await _account(tx, "spent", reward.customer_id, reward)
    await _lock(tx, debt)
    already = await owed_for(tx, reward)
    more = min(amount, reward.amount - already)
    if more > 0:
        key = f"owe:{reward.key}:{already + more}"
        await _enter(tx, key, debt, spent, more, reward, None, memo, now)


async def owed_for(tx: Tx, reward: Row[Any]) -> int:
    """What the customer owes for the reward."""
    owed = accounts.c.id == entries.c.debit_id
    statement = (
        select(func.coalesce(func.sum(entries.c.amount), 0))
        .join(accounts, owed)
        .where(entries.c.reward_id == reward.id, accounts.c.kind == "owed")
    )
    return int((await one(tx, statement))[0])


async def redeem(
    tx: Tx, customer_id: str, asset: Asset, amount: int, key: str, memo: str, now: datetime
) -> Row[Any]:
    """Spend from the wallet, once for each key, and never below zero. Returns the entry, of a repeat the first one.

    Raises Insufficient, and KeyReused where the key stands for another spending.
    """
    wallet = await _account_of(tx, "wallet", customer_id, asset)
    await _lock(tx, wallet)
    spent = await _account_of(tx, "spent", customer_id, asset)
    own_key = f"redeem:{customer_id}:{key}"
    found = await first(tx, select(entries).where(entries.c.key == own_key))
    if found is None:
        if await balance_of(tx, wallet) < amount:
            raise Insufficient
        await _enter(tx, own_key, wallet, spent, amount, None, None, memo, now)
        found = await one(tx, select(entries).where(entries.c.key == own_key))
    if (found.debit_id, found.amount) != (wallet, amount):
        raise KeyReused
    return found


class Insufficient(Exception):
    """The wallet holds less."""


class KeyReused(Exception):
    """The key stands for another spending."""


async def balance_of(tx: Tx, account_id: int) -> int:
    """Credits less debits."""
    credit = select(func.coalesce(func.sum(entries.c.amount), 0)).where(
        entries.c.credit_id == account_id
    )
    debit = select(func.coalesce(func.sum(entries.c.amount), 0)).where(
        entries.c.debit_id == account_id
    )
    return int((await one(tx, select(credit.scalar_subquery() - debit.scalar_subquery())))[0])


async def _account(tx: Tx, kind: str, owner: str, reward: Row[Any]) -> int:
    return await _account_of(tx, kind, owner, Asset(reward.type, reward.currency))


async def _account_of(tx: Tx, kind: str, owner: str, asset: Asset) -> int:
    key = {"kind": kind, "owner": owner, "type": asset.type, "currency": asset.currency or ""}
    found = select(accounts.c.id).filter_by(**key)
    row = await first(tx, found)
    if row is None:
        statement = insert(tx, accounts).values(key).on_conflict_do_nothing()
        await tx.execute(statement)
        row = await one(tx, found)
    return int(row.id)


async def _lock(tx: Tx, account_id: int) -> None:
    await tx.execute(locked(select(literal(1)).where(accounts.c.id == account_id)))


async def _enter(
    tx: Tx,
    key: str,
    debit: int,
    credit: int,
    amount: int,
    reward: Row[Any] | None,
    reverses: int | None,
    memo: str,
    now: datetime,
) -> None:
    await tx.execute(
        insert(tx, entries)
        .values(
            key=key,
            debit_id=debit,
            credit_id=credit,
            amount=amount,
            reward_id=reward.id if reward else None,
            reverses_id=reverses,
            at=now,
            memo=memo,
        )
        .on_conflict_do_nothing(index_elements=["key"])
    )
