"""The own ledger: append-only, double-entry, exact.

An entry moves an amount from one account to another, so that every entry balances by its shape. A grant moves from
what the campaign has `issued` to the customer's `wallet`; a roll-back is a new entry the other way. What the wallet
no longer holds then is taken from the customer's `owed` account, unless the campaign allows a negative wallet.

A grant may expire: what is left of it then goes from the wallet to what of the campaign's has `expired`. That is booked
before anything else goes out of the wallet, so that it matters to nobody how late `expire` comes by. The entries of a
wallet are made one after another, under its lock.
"""

from collections.abc import Sequence
from datetime import datetime
from functools import cache
from itertools import groupby
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Row,
    Select,
    and_,
    bindparam,
    func,
    or_,
    select,
    tuple_,
    union_all,
)

from referrals.domain.durations import parse_duration
from referrals.domain.rewards import Asset
from referrals.domain.states import RewardState
from referrals.domain.wallet_lots import LotEntry, remaining_by_lot
from referrals.errors import IdempotencyKeyReusedError, InsufficientBalanceError
from referrals.store.db.sql import Tx, add, adding, first, locked, one, rows, written
from referrals.store.schema import ledger_accounts, ledger_entries, rewards

_OWNER = (rewards.c.customer_id, rewards.c.type, func.coalesce(rewards.c.currency, ""))
"""Whose wallet a reward is in, of which type and currency."""

AccountKey = tuple[str, str, str, str]
_ACCOUNT = {name: ledger_accounts.c[name] for name in ("kind", "owner", "type", "currency")}


async def grant(tx: Tx, payments: Sequence[tuple[Row[Any], str]], now: datetime) -> None:
    """Pay rewards, each with its memo, into their customers' wallets, once: a reward's key is the entry's."""
    issued = {
        reward.id: _key("issued", reward.campaign_id, _asset(reward)) for reward, _ in payments
    }
    wallet = {
        reward.id: _key("wallet", reward.customer_id, _asset(reward)) for reward, _ in payments
    }
    of = await _accounts(tx, {*issued.values(), *wallet.values()})
    await _lock_all(tx, {of[key] for key in wallet.values()})
    granted = [
        _entry(
            f"grant:{reward.key}",
            of[issued[reward.id]],
            of[wallet[reward.id]],
            reward.amount,
            memo,
            now,
            reward,
        )
        for reward, memo in payments
    ]
    await _enter(tx, *granted)
    for reward, _ in payments:
        if valid_for := (reward.target or {}).get("valid_for"):
            expires_at = now + parse_duration(valid_for)
            own = rewards.update().where(rewards.c.id == reward.id)
            await tx.execute(own.values(expires_at=expires_at))


async def reverse(
    tx: Tx, reward: Row[Any], memo: str, now: datetime, *, allow_negative: bool
) -> int:
    """Take the reward back, once, but for what of it has expired.

    Returns what could not be taken and is owed now (0 where negative is allowed).
    """
    granted = await one(
        tx, select(ledger_entries).where(ledger_entries.c.key == f"grant:{reward.key}")
    )
    wallet, issued = granted.credit_id, granted.debit_id
    await _book_expired(tx, [await _lock(tx, wallet)], now)
    amount = int(reward.amount) - await _expired_of(tx, reward)
    held = amount if allow_negative else max(await balance_of(tx, wallet), 0)
    taken, owed = min(held, amount), max(amount - held, 0)
    if taken:
        back = _entry(f"reverse:{reward.key}", wallet, issued, taken, memo, now, reward, granted.id)
        await _enter(tx, back)
    if owed:
        debt = await _account_of(tx, "owed", reward.customer_id, _asset(reward))
        due = _entry(f"owe:{reward.key}", debt, issued, owed, memo, now, reward, granted.id)
        await _enter(tx, due)
    return owed


async def owe(tx: Tx, reward: Row[Any], amount: int, memo: str, now: datetime) -> None:
    """Of a reward that another provider issued, so much is spent over there and owed here; never more than all."""
    debt = await _account_of(tx, "owed", reward.customer_id, _asset(reward))
    spent = await _account_of(tx, "spent", reward.customer_id, _asset(reward))
    await _lock(tx, debt)
    already = await owed_for(tx, reward)
    more = min(amount, reward.amount - already)
    if more > 0:
        key = f"owe:{reward.key}:{already + more}"
        await _enter(tx, _entry(key, debt, spent, more, memo, now, reward))


async def owed_for(tx: Tx, reward: Row[Any]) -> int:
    """What the customer owes for the reward."""
    owed = ledger_accounts.c.id == ledger_entries.c.debit_id
    statement = (
        select(func.coalesce(func.sum(ledger_entries.c.amount), 0))
        .join(ledger_accounts, owed)
        .where(ledger_entries.c.reward_id == reward.id, ledger_accounts.c.kind == "owed")
    )
    return int((await one(tx, statement))[0])


async def redeem(
    tx: Tx, customer_id: str, asset: Asset, amount: int, key: str, memo: str, now: datetime
) -> Row[Any]:
    """Spend from the wallet, once for each key, and never below zero. Returns the entry, of a repeat the first one.

    Raises InsufficientBalanceError, and IdempotencyKeyReusedError if the key belongs to another redemption.
    """
    wallet = await _account_of(tx, "wallet", customer_id, asset)
    spent = await _account_of(tx, "spent", customer_id, asset)
    await _book_expired(tx, [await _lock(tx, wallet)], now)
    own_key = f"redeem:{customer_id}:{key}"
    found = await first(tx, select(ledger_entries).where(ledger_entries.c.key == own_key))
    if found is None:
        if await balance_of(tx, wallet) < amount:
            raise InsufficientBalanceError
        await _enter(tx, _entry(own_key, wallet, spent, amount, memo, now))
        found = await one(tx, select(ledger_entries).where(ledger_entries.c.key == own_key))
    if (found.debit_id, found.amount) != (wallet, amount):
        raise IdempotencyKeyReusedError(key)
    return found


async def balance_of(tx: Tx, account_id: int) -> int:
    """Credits less debits."""
    credit = select(func.coalesce(func.sum(ledger_entries.c.amount), 0)).where(
        ledger_entries.c.credit_id == account_id
    )
    debit = select(func.coalesce(func.sum(ledger_entries.c.amount), 0)).where(
        ledger_entries.c.debit_id == account_id
    )
    return int((await one(tx, select(credit.scalar_subquery() - debit.scalar_subquery())))[0])


async def expire(tx: Tx, now: datetime, most: int) -> int:
    """Book up to so many grants that are due to expire (more where they share a wallet); returns how many.

    A wallet that is in use just now is left for the next time.
    """
    due = select(*_OWNER).where(*_due(now)).order_by(rewards.c.expires_at).limit(most)
    owned = tuple_(ledger_accounts.c.owner, ledger_accounts.c.type, ledger_accounts.c.currency)
    wallets = select(ledger_accounts).where(ledger_accounts.c.kind == "wallet", owned.in_(due))
    free = wallets.with_for_update(key_share=True, skip_locked=True)
    return await _book_expired(tx, await rows(tx, free), now)


async def _book_expired(tx: Tx, wallets: Sequence[Row[Any]], now: datetime) -> int:
    """Take what is left of the grants that are due out of these wallets, which are locked; returns how many were due."""
    wallet_of = {(wallet.owner, wallet.type, wallet.currency): wallet.id for wallet in wallets}
    due = await _claim_due(tx, list(wallet_of.values()), now)
    held = await _held(tx, list(wallet_of.values())) if due else {}
    # In one order, so that two that need the same new accounts do not wait for each other.
    gone = {
        (campaign, asset): await _account_of(tx, "expired", campaign, asset)
        for campaign, asset in sorted({(r.campaign_id, _asset(r)) for r in due}, key=str)
    }
    expiries = [
        _entry(
            f"expire:{reward.key}",
            wallet_of[reward.customer_id, reward.type, reward.currency or ""],
            gone[reward.campaign_id, _asset(reward)],
            held[reward.id],
            f"Expired at {reward.expires_at:%Y-%m-%d %H:%M} UTC",
            now,
            reward,
        )
        for reward in due
        if held[reward.id]
    ]
    await _enter(tx, *expiries)
    return len(due)


async def _claim_due(tx: Tx, wallets: Sequence[int], now: datetime) -> list[Row[Any]]:
    """The grants in these wallets that are due to expire, the soonest first; nobody else finds them due after this."""
    owners = select(
        ledger_accounts.c.owner, ledger_accounts.c.type, ledger_accounts.c.currency
    ).where(ledger_accounts.c.id.in_(wallets))
    statement = rewards.update().where(*_due(now), tuple_(*_OWNER).in_(owners))
    claimed = await rows(tx, statement.values(expired_at=now).returning(rewards))
    return sorted(claimed, key=lambda reward: (reward.expires_at, reward.key))


async def _held(tx: Tx, wallets: Sequence[int]) -> dict[str, int]:
    """What is left of each grant in these wallets."""
    came = select(
        ledger_entries.c.credit_id.label("wallet"),
        ledger_entries.c.id,
        ledger_entries.c.amount,
        ledger_entries.c.reward_id,
    ).where(ledger_entries.c.credit_id.in_(wallets))
    went = select(
        ledger_entries.c.debit_id,
        ledger_entries.c.id,
        -ledger_entries.c.amount,
        ledger_entries.c.reward_id,
    ).where(ledger_entries.c.debit_id.in_(wallets))
    sides = union_all(came, went).subquery()
    statement = (
        select(sides, rewards.c.expires_at)
        .outerjoin(rewards, rewards.c.id == sides.c.reward_id)
        .order_by(sides.c.wallet, sides.c.id)
    )
    held: dict[str, int] = {}
    for _, lines in groupby(await rows(tx, statement), key=lambda line: line.wallet):
        held |= remaining_by_lot(
            LotEntry(line.amount, line.reward_id, line.expires_at) for line in lines
        )
    return held


def _due(now: datetime) -> tuple[ColumnElement[bool], ...]:
    return (
        rewards.c.expires_at <= now,
        rewards.c.expired_at.is_(None),
        rewards.c.expires_at.is_not(None),
        written(rewards.c.state, RewardState.GRANTED),
    )


async def _expired_of(tx: Tx, reward: Row[Any]) -> int:
    entry = select(ledger_entries.c.amount).where(ledger_entries.c.key == f"expire:{reward.key}")
    found = await first(tx, entry)
    return int(found.amount) if found else 0


def _asset(reward: Row[Any]) -> Asset:
    return Asset(reward.type, reward.currency)


def _key(kind: str, owner: str, asset: Asset) -> AccountKey:
    return kind, owner, asset.type, asset.currency or ""


async def _account_of(tx: Tx, kind: str, owner: str, asset: Asset) -> int:
    key = _key(kind, owner, asset)
    return (await _accounts(tx, {key}))[key]


async def _accounts(tx: Tx, wanted: set[AccountKey]) -> dict[AccountKey, int]:
    """Their ids; those that are missing are made, in one order, so that no two wait for each other."""
    found = await _find(tx, wanted)
    if missing := sorted(wanted - found.keys()):
        new = [dict(zip(_ACCOUNT.keys(), key, strict=True)) for key in missing]
        made = await tx.execute(adding(tx, ledger_accounts, ()).returning(ledger_accounts), new)
        found |= _ids(made.all())
    if late := wanted - found.keys():  # somebody else has made them meanwhile
        found |= await _find(tx, late)
    return found


async def _find(tx: Tx, wanted: set[AccountKey]) -> dict[AccountKey, int]:
    parts = {
        f"{name}_{number}": part
        for number, key in enumerate(wanted)
        for name, part in zip(_ACCOUNT, key, strict=True)
    }
    return _ids(await rows(tx, _these(len(wanted)), **parts))


@cache
def _these(count: int) -> Select[Any]:
    """Each by all columns of the key: both databases look them up by it."""
    return select(ledger_accounts).where(
        or_(
            *(
                and_(*(column == bindparam(f"{name}_{n}") for name, column in _ACCOUNT.items()))
                for n in range(count)
            )
        )
    )


def _ids(found: Sequence[Row[Any]]) -> dict[AccountKey, int]:
    return {(row.kind, row.owner, row.type, row.currency): row.id for row in found}


async def _lock(tx: Tx, account_id: int) -> Row[Any]:
    return await one(tx, locked(select(ledger_accounts).where(ledger_accounts.c.id == account_id)))


async def _lock_all(tx: Tx, account_ids: set[int]) -> None:
    """SQLite has one writer at a time, and nothing to lock."""
    if tx.dialect.name != "sqlite":
        mine = select(ledger_accounts.c.id).where(ledger_accounts.c.id.in_(account_ids))
        await rows(tx, locked(mine.order_by(ledger_accounts.c.id)))


def _entry(
    key: str,
    debit: int,
    credit: int,
    amount: int,
    memo: str,
    now: datetime,
    reward: Row[Any] | None = None,
    reverses: int | None = None,
) -> dict[str, Any]:
    return {
        "key": key,
        "debit_id": debit,
        "credit_id": credit,
        "amount": amount,
        "reward_id": reward.id if reward else None,
        "reverses_id": reverses,
        "at": now,
        "memo": memo,
    }


async def _enter(tx: Tx, *values: dict[str, Any]) -> None:
    await add(tx, ledger_entries, *values, once=("key",))
