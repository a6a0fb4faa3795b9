"""Expiry of grants: move the remainder of each due grant out of the customer's wallet."""

from collections.abc import Sequence
from datetime import datetime
from itertools import groupby
from typing import NamedTuple

from sqlalchemy import ColumnElement, func, select, tuple_, union_all

from referrals.domain.states import RewardState
from referrals.domain.wallet_lots import LotEntry, remaining_by_lot
from referrals.store.db.sql import Tx, first, literal_in, rows_of
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


async def expire_in_wallets(tx: Tx, wallets: Sequence[LedgerAccountRow], now: datetime) -> int:
    """Book the due expiries of these locked wallets; return how many were due."""
    wallet_of = {(wallet.owner, wallet.type, wallet.currency): wallet.id for wallet in wallets}
    due = await _claim_due(tx, list(wallet_of.values()), now)
    remaining = await remaining_by_reward(tx, list(wallet_of.values())) if due else {}
    # Sorted, so that two transactions that create the same accounts cannot deadlock.
    expired = {
        (campaign, asset): await get_account_id(tx, "expired", campaign, asset)
        for campaign, asset in sorted({(r.campaign_id, asset_of(r)) for r in due}, key=str)
    }
    expiries = [
        new_entry(
            f"expire:{reward.key}",
            wallet_of[reward.customer_id, reward.type, reward.currency or ""],
            expired[reward.campaign_id, asset_of(reward)],
            remaining[reward.id],
            f"Expired at {reward.expires_at:%Y-%m-%d %H:%M} UTC",
            now,
            reward,
        )
        for reward in due
        if remaining[reward.id]
    ]
    await insert_entries(tx, *expiries)
    return len(due)


async def expired_amount(tx: Tx, reward: RewardRow) -> int:
    """Return how much of the reward has expired."""
    entry = select(ledger_entries.c.amount).where(ledger_entries.c.key == f"expire:{reward.key}")
    found = await first(tx, entry)
    return found[0] if found else 0


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
    """An entry of a wallet, negative if the wallet was debited, with the expiry of its reward."""

    wallet: int
    id: int
    amount: int
    reward_id: str | None
    expires_at: datetime | None


async def remaining_by_reward(tx: Tx, wallets: Sequence[int]) -> dict[str, int]:
    """Return the remaining amount of each grant in these wallets, by reward id."""
    credited = select(
        ledger_entries.c.credit_id.label("wallet"),
        ledger_entries.c.id,
        ledger_entries.c.amount,
        ledger_entries.c.reward_id,
    ).where(ledger_entries.c.credit_id.in_(wallets))
    debited = select(
        ledger_entries.c.debit_id,
        ledger_entries.c.id,
        -ledger_entries.c.amount,
        ledger_entries.c.reward_id,
    ).where(ledger_entries.c.debit_id.in_(wallets))
    sides = union_all(credited, debited).subquery()
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
            LotEntry(line.amount, line.reward_id, line.expires_at) for line in lines
        )
    return remaining


def _due(now: datetime) -> tuple[ColumnElement[bool], ...]:
    return (
        rewards.c.expires_at <= now,
        rewards.c.expired_at.is_(None),
        rewards.c.expires_at.is_not(None),
        literal_in(rewards.c.state, RewardState.GRANTED),
    )
