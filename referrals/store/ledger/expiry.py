"""Expiry of grants: move the remainder of each due grant out of the customer's wallet."""

from collections.abc import Sequence
from datetime import datetime
from itertools import groupby
from typing import NamedTuple

from sqlalchemy import ColumnElement, Subquery, exists, func, select, tuple_, union_all

from referrals.domain.states import RewardState
from referrals.domain.wallet_lots import LotEntry, remaining_by_lot
from referrals.store.db.sql import Tx, literal_in, one, rows_of
from referrals.store.ledger.accounts import asset_of, get_account_id
from referrals.store.ledger.entries import insert_entries, new_entry
from referrals.store.schema import (
    LedgerAccountRow,
    RewardRow,
    ledger_accounts,
    ledger_entries,
    rewards,
)

_WALLET_OF_REWARD = (
    rewards.c.customer_id,
    rewards.c.type,
    func.coalesce(rewards.c.currency, ""),
)
"""Owner, type and currency of the wallet that holds a reward."""


async def expire_due(tx: Tx, now: datetime, limit: int) -> int:
    """Book up to `limit` due expiries, or more if they share a wallet; return how many were booked.

    Wallets that another transaction has locked are skipped until the next run.
    """
    due = select(*_WALLET_OF_REWARD).where(*_due(now)).order_by(rewards.c.expires_at).limit(limit)
    key = tuple_(ledger_accounts.c.owner, ledger_accounts.c.type, ledger_accounts.c.currency)
    wallets = select(ledger_accounts).where(ledger_accounts.c.kind == "wallet", key.in_(due))
    unlocked = wallets.with_for_update(key_share=True, skip_locked=True)
    return await expire_in_wallets(tx, await rows_of(tx, LedgerAccountRow, unlocked), now)


async def next_expiry(tx: Tx) -> datetime | None:
    """Return when the next granted reward expires; None if none does."""
    earliest = select(func.min(rewards.c.expires_at)).where(*_open())
    expires_at: datetime | None = (await one(tx, earliest))[0]
    return expires_at


async def expire_in_wallets(tx: Tx, wallets: Sequence[LedgerAccountRow], now: datetime) -> int:
    """Book the due expiries of these locked wallets; return how many were due."""
    wallet_of = {(wallet.owner, wallet.type, wallet.currency): wallet.id for wallet in wallets}
    due = await _claim_due(tx, list(wallet_of.values()), now)
    if due:
        await _book(tx, wallet_of, due, now)
    return len(due)


async def expire_restored(tx: Tx, wallet: LedgerAccountRow, key: str, now: datetime) -> None:
    """Book the expiry of what a reversed redemption gave back to grants that had expired. The wallet is locked."""
    expired = select(rewards).where(
        rewards.c.customer_id == wallet.owner,
        rewards.c.type == wallet.type,
        func.coalesce(rewards.c.currency, "") == wallet.currency,
        rewards.c.expired_at.is_not(None),
    )
    found = await rows_of(tx, RewardRow, expired.order_by(rewards.c.key))
    await _book(tx, {(wallet.owner, wallet.type, wallet.currency): wallet.id}, found, now, key)


async def _book(
    tx: Tx,
    wallet_of: dict[tuple[str, str, str], int],
    ended: Sequence[RewardRow],
    now: datetime,
    key: str = "",
) -> None:
    """Move what remains of the grants that have ended to the `expired` accounts of their campaigns."""
    remaining = await remaining_by_reward(tx, list(wallet_of.values()))
    # Sorted, so that two transactions that create the same accounts cannot deadlock.
    expired = {
        (campaign, asset): await get_account_id(tx, "expired", campaign, asset)
        for campaign, asset in sorted({(r.campaign_id, asset_of(r)) for r in ended}, key=str)
    }
    expiries = [
        new_entry(
            f"expire:{reward.key}{key}",
            wallet_of[reward.customer_id, reward.type, reward.currency or ""],
            expired[reward.campaign_id, asset_of(reward)],
            remaining[reward.id],
            f"Expired at {reward.expires_at:%Y-%m-%d %H:%M} UTC",
            now,
            reward.id,
        )
        for reward in ended
        if remaining.get(reward.id)
    ]
    await insert_entries(tx, *expiries)


async def expired_amount(tx: Tx, reward: RewardRow) -> int:
    """Return how much of the reward has expired."""
    statement = (
        select(func.coalesce(func.sum(ledger_entries.c.amount), 0))
        .join(ledger_accounts, ledger_accounts.c.id == ledger_entries.c.credit_id)
        .where(ledger_entries.c.reward_id == reward.id, ledger_accounts.c.kind == "expired")
    )
    return int((await one(tx, statement))[0])


async def _claim_due(tx: Tx, wallets: Sequence[int], now: datetime) -> list[RewardRow]:
    """Mark the due grants in these wallets as expired and return them by expiry; no other transaction gets them."""
    owners = select(
        ledger_accounts.c.owner, ledger_accounts.c.type, ledger_accounts.c.currency
    ).where(ledger_accounts.c.id.in_(wallets))
    statement = rewards.update().where(*_due(now), tuple_(*_WALLET_OF_REWARD).in_(owners))
    claim = statement.values(expired_at=now).returning(rewards)
    claimed = await rows_of(tx, RewardRow, claim)
    return sorted(claimed, key=lambda reward: (reward.expires_at, reward.key))


class _WalletEntry(NamedTuple):
    """An entry of a wallet, negative if the wallet was debited, with its time and the expiry of its reward."""

    wallet: int
    id: int
    amount: int
    reward_id: str | None
    at: datetime
    expires_at: datetime | None


async def remaining_by_reward(tx: Tx, wallets: Sequence[int]) -> dict[str, int]:
    """Return the remaining amount of each grant in these wallets, by reward id.

    A redemption that was reversed counts as never made, so that each grant gets its part back.
    """
    sides = _entries_of(wallets)
    statement = (
        select(sides, rewards.c.expires_at)
        .outerjoin(rewards, rewards.c.id == sides.c.reward_id)
        .order_by(sides.c.wallet, sides.c.id)
    )
    remaining: dict[str, int] = {}
    for _, lines in groupby(
        await rows_of(tx, _WalletEntry, statement), key=lambda line: line.wallet
    ):
        remaining |= remaining_by_lot(
            LotEntry(line.amount, line.reward_id, line.expires_at, line.at) for line in lines
        )
    return remaining


def _entries_of(wallets: Sequence[int]) -> Subquery:
    """Select the entries of the wallets, except for redemptions that were reversed, and their reversals."""
    other = ledger_entries.alias("other")
    unnamed = ledger_entries.c.reward_id.is_(None)
    is_reversal = unnamed & exists().where(
        other.c.id == ledger_entries.c.reverses_id, other.c.debit_id == ledger_entries.c.credit_id
    )
    is_reversed = unnamed & exists().where(
        other.c.reverses_id == ledger_entries.c.id, other.c.credit_id == ledger_entries.c.debit_id
    )
    credited = select(
        ledger_entries.c.credit_id.label("wallet"),
        ledger_entries.c.id,
        ledger_entries.c.amount,
        ledger_entries.c.reward_id,
        ledger_entries.c.at,
    ).where(ledger_entries.c.credit_id.in_(wallets), ~is_reversal)
    debited = select(
        ledger_entries.c.debit_id,
        ledger_entries.c.id,
        -ledger_entries.c.amount,
        ledger_entries.c.reward_id,
        ledger_entries.c.at,
    ).where(ledger_entries.c.debit_id.in_(wallets), ~is_reversed)
    return union_all(credited, debited).subquery()


def _due(now: datetime) -> tuple[ColumnElement[bool], ...]:
    return (rewards.c.expires_at <= now, *_open())


def _open() -> tuple[ColumnElement[bool], ...]:
    """Return the conditions of granted rewards that will expire."""
    return (
        rewards.c.expired_at.is_(None),
        rewards.c.expires_at.is_not(None),
        literal_in(rewards.c.state, RewardState.GRANTED),
    )
