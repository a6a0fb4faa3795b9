"""The own ledger: append-only, double-entry, exact.

An entry moves an amount from one account to another, so that every entry balances by its shape. A grant moves from
what the campaign has `issued` to the customer's `wallet`; a roll-back is a new entry the other way. What the wallet
no longer holds then is taken from the customer's `owed` account, unless the campaign allows a negative wallet.

A grant may expire: what is left of it then goes from the wallet to what of the campaign's has `expired`. That is booked
before anything else goes out of the wallet, so that it matters to nobody how late `expire` comes by. The entries of a
wallet are made one after another, under its lock.
"""

from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Row, Select, case, func, or_, select, tuple_

from referrals.domain.durations import duration_of
from referrals.domain.lots import Line, left
from referrals.domain.rewards import Asset
from referrals.domain.states import RewardState
from referrals.store.schema import accounts, entries, rewards
from referrals.store.sql import Tx, first, insert, locked, one, rows


async def grant(tx: Tx, reward: Row[Any], memo: str, now: datetime) -> None:
    """Pay the reward into the customer's wallet, once: its key is the entry's."""
    issued = await _account_of(tx, "issued", reward.campaign_id, _asset(reward))
    wallet = await _account_of(tx, "wallet", reward.customer_id, _asset(reward))
    await _lock(tx, wallet)
    await _enter(tx, f"grant:{reward.key}", issued, wallet, reward.amount, reward, None, memo, now)
    if valid_for := (reward.target or {}).get("valid_for"):
        expires_at = now + duration_of(valid_for)
        await tx.execute(
            rewards.update().where(rewards.c.id == reward.id).values(expires_at=expires_at)
        )


async def reverse(
    tx: Tx, reward: Row[Any], memo: str, now: datetime, *, allow_negative: bool
) -> int:
    """Take the reward back, once, but for what of it has expired.

    Returns what could not be taken and is owed now (0 where negative is allowed).
    """
    granted = await one(tx, select(entries).where(entries.c.key == f"grant:{reward.key}"))
    wallet, issued = granted.credit_id, granted.debit_id
    await _book_expired(tx, await _lock(tx, wallet), now)
    amount = int(reward.amount) - await _expired_of(tx, reward)
    held = amount if allow_negative else max(await balance_of(tx, wallet), 0)
    taken, owed = min(held, amount), max(amount - held, 0)
    if taken:
        await _enter(
            tx, f"reverse:{reward.key}", wallet, issued, taken, reward, granted.id, memo, now
        )
    if owed:
        debt = await _account_of(tx, "owed", reward.customer_id, _asset(reward))
        await _enter(tx, f"owe:{reward.key}", debt, issued, owed, reward, granted.id, memo, now)
    return owed


async def redeem(
    tx: Tx, customer_id: str, asset: Asset, amount: int, key: str, memo: str, now: datetime
) -> Row[Any]:
    """Spend from the wallet, once for each key, and never below zero. Returns the entry, of a repeat the first one.

    Raises Insufficient, and KeyReused where the key stands for another spending.
    """
    wallet = await _account_of(tx, "wallet", customer_id, asset)
    spent = await _account_of(tx, "spent", customer_id, asset)
    await _book_expired(tx, await _lock(tx, wallet), now)
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


async def expire(tx: Tx, now: datetime, most: int) -> int:
    """Book up to so many grants that are due to expire (more where they share a wallet); returns how many.

    A wallet that is in use just now is left for the next time.
    """
    due = (
        select(rewards.c.customer_id, rewards.c.type, func.coalesce(rewards.c.currency, ""))
        .where(*_due(now))
        .order_by(rewards.c.expires_at)
        .limit(most)
    )
    owned = tuple_(accounts.c.owner, accounts.c.type, accounts.c.currency)
    wallets = select(accounts).where(accounts.c.kind == "wallet", owned.in_(due))
    free = wallets.with_for_update(key_share=True, skip_locked=True)
    return sum([await _book_expired(tx, wallet, now) for wallet in await rows(tx, free)])


async def _book_expired(tx: Tx, wallet: Row[Any], now: datetime) -> int:
    """Take what is left of the grants that are due out of the wallet, which is locked; returns how many were due."""
    mine = (
        rewards.c.customer_id == wallet.owner,
        rewards.c.type == wallet.type,
        func.coalesce(rewards.c.currency, "") == wallet.currency,
    )
    statement = rewards.update().where(*_due(now), *mine).values(expired_at=now)
    due = await rows(tx, statement.returning(rewards))
    held = left(map(Line._make, await rows(tx, _lines(wallet.id)))) if due else {}
    for reward in sorted(due, key=lambda reward: (reward.expires_at, reward.key)):
        if amount := held[reward.id]:
            gone = await _account_of(tx, "expired", reward.campaign_id, _asset(reward))
            key, memo = f"expire:{reward.key}", f"Expired at {reward.expires_at:%Y-%m-%d %H:%M} UTC"
            await _enter(tx, key, wallet.id, gone, amount, reward, None, memo, now)
    return len(due)


def _due(now: datetime) -> tuple[ColumnElement[bool], ...]:
    return (
        rewards.c.expires_at <= now,
        rewards.c.expired_at.is_(None),
        rewards.c.state == RewardState.GRANTED,
    )


def _lines(wallet: int) -> Select[Any]:
    """The wallet's entries, for `lots`."""
    signed = case((entries.c.credit_id == wallet, entries.c.amount), else_=-entries.c.amount)
    return (
        select(signed, entries.c.reward_id, rewards.c.expires_at)
        .outerjoin(rewards, rewards.c.id == entries.c.reward_id)
        .where(or_(entries.c.credit_id == wallet, entries.c.debit_id == wallet))
        .order_by(entries.c.id)
    )


async def _expired_of(tx: Tx, reward: Row[Any]) -> int:
    entry = select(entries.c.amount).where(entries.c.key == f"expire:{reward.key}")
    found = await first(tx, entry)
    return int(found.amount) if found else 0


def _asset(reward: Row[Any]) -> Asset:
    return Asset(reward.type, reward.currency)


async def _account_of(tx: Tx, kind: str, owner: str, asset: Asset) -> int:
    key = {"kind": kind, "owner": owner, "type": asset.type, "currency": asset.currency or ""}
    found = select(accounts.c.id).filter_by(**key)
    row = await first(tx, found)
    if row is None:
        statement = insert(tx, accounts).values(key).on_conflict_do_nothing()
        await tx.execute(statement)
        row = await one(tx, found)
    return int(row.id)


async def _lock(tx: Tx, account_id: int) -> Row[Any]:
    return await one(tx, locked(select(accounts).where(accounts.c.id == account_id)))


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
