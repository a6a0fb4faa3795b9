"""Grants: pay rewards into wallets, and reverse them."""

from collections.abc import Sequence
from datetime import datetime

from referrals.domain.durations import parse_duration
from referrals.store.db.sql import Tx, change, get
from referrals.store.ledger import debts, expiry
from referrals.store.ledger.accounts import (
    AccountKey,
    account_key,
    asset_of,
    balance_of,
    get_account_id,
    get_account_ids,
    lock_account,
    lock_accounts,
)
from referrals.store.ledger.debts import Credit
from referrals.store.ledger.entries import insert_entries, new_entry
from referrals.store.schema import RewardRow, ledger_entries, rewards


async def grant(tx: Tx, payments: Sequence[tuple[RewardRow, str]], now: datetime) -> dict[str, int]:
    """Pay each reward, with its memo, into the customer's wallet; a repeat changes nothing.

    What the customer owes is repaid first. Returns how much each reward repaid, by its id.
    """
    keys = {reward.id: _accounts_of(reward) for reward, _ in payments}
    needed = {key for issued, wallet, _ in keys.values() for key in (issued, wallet)}
    ids = await get_account_ids(tx, needed, optional={owed for *_, owed in keys.values()})
    await lock_accounts(tx, {ids[key] for _, *own in keys.values() for key in own if key in ids})
    granted = []
    for reward, memo in payments:
        issued, wallet, _ = keys[reward.id]
        key = f"grant:{reward.key}"
        granted.append(
            new_entry(key, ids[issued], ids[wallet], reward.amount, memo, now, reward.id)
        )
    await insert_entries(tx, *granted)
    repaid = {}
    for reward, _ in payments:
        await _set_expiry(tx, reward, now)
        _, wallet, owed = keys[reward.id]
        if owed in ids:
            credit = Credit(reward.key, ids[wallet], ids[owed], reward.amount, reward.key_prefix)
            repaid[reward.id] = await debts.repay(tx, credit, now)
            await change(tx, rewards, reward.id, repaid=repaid[reward.id])
    return repaid


async def reverse(
    tx: Tx, reward: RewardRow, memo: str, now: datetime, *, allow_negative: bool
) -> int:
    """Reverse the grant of a reward, except for what has expired; a repeat changes nothing.

    Returns the amount that the wallet did not hold, which the customer owes now (0 with `allow_negative`).
    """
    granted = await get(tx, ledger_entries, key=f"grant:{reward.key}")
    wallet = await get_account_id(tx, "wallet", reward.customer_id, asset_of(reward))
    issued = granted.debit_id
    await expiry.expire_in_wallets(tx, [await lock_account(tx, wallet)], now)
    amount = int(reward.amount) - await expiry.expired_amount(tx, reward)
    available = amount if allow_negative else max(await balance_of(tx, wallet), 0)
    reversed_amount, owed = min(available, amount), max(amount - available, 0)
    if reversed_amount:
        key = f"reverse:{reward.key}"
        reversal = new_entry(key, wallet, issued, reversed_amount, memo, now, reward.id, granted.id)
        await insert_entries(tx, reversal)
    if owed:
        await debts.record_shortfall(tx, reward, granted, owed, memo, now)
    return owed


def _accounts_of(reward: RewardRow) -> tuple[AccountKey, AccountKey, AccountKey]:
    """Return the campaign's `issued` account, and the customer's `wallet` and `owed` accounts."""
    asset = asset_of(reward)
    return (
        account_key("issued", reward.campaign_id, asset),
        account_key("wallet", reward.customer_id, asset),
        account_key("owed", reward.customer_id, asset),
    )


async def _set_expiry(tx: Tx, reward: RewardRow, now: datetime) -> None:
    if valid_for := (reward.target or {}).get("valid_for"):
        own = rewards.update().where(rewards.c.id == reward.id)
        await tx.execute(own.values(expires_at=now + parse_duration(valid_for)))
