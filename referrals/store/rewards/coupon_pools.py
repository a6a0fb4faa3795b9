"""Pools of imported coupons: import codes, and resume the rewards that wait for them."""

from collections import Counter
from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import func, select

from referrals.domain.codes import code_key, is_code
from referrals.domain.states import RewardState
from referrals.store import views
from referrals.store.campaigns.versions import require_campaign
from referrals.store.db.sql import Tx, insert, locked, rows, rows_of
from referrals.store.inbox import inbox_events
from referrals.store.rewards import commands
from referrals.store.rewards.coupons import POOL_EMPTY
from referrals.store.schema import campaigns, coupons, rewards

NumberedCode = tuple[int, str]
"""Line number (or position in the list) and code of a coupon."""


async def add(
    tx: Tx,
    campaign_id: str,
    pool: str,
    codes: Sequence[NumberedCode],
    actor: str,
    now: datetime,
    unreadable: Sequence[views.LineError] = (),
) -> list[views.LineError]:
    """Add the codes to the pool, and queue commands that resume the rewards waiting for it.

    `unreadable` are lines that have no code. If there are any, or a code cannot be added, return the errors; the caller
    rolls back. Raises UnknownCampaignError.
    """
    await require_campaign(tx, campaign_id)
    # A reward that finds the pool empty now fails after this transaction, or sees these codes.
    await tx.execute(locked(select(campaigns.c.id).where(campaigns.c.id == campaign_id)))
    errors = sorted([*unreadable, *_code_errors(codes)], key=lambda error: error.line)
    errors = errors or await _insert(tx, campaign_id, pool, codes, now)
    if not errors:
        await _resume(tx, campaign_id, pool, actor, now)
    return errors


async def count(tx: Tx, campaign_id: str, pool: str) -> views.CouponPool:
    """Count the pool's coupons by state. Raises UnknownCampaignError."""
    await require_campaign(tx, campaign_id)
    statement = (
        select(coupons.c.state, func.count())
        .where(coupons.c.campaign_id == campaign_id, coupons.c.pool == pool)
        .group_by(coupons.c.state)
    )
    states = dict(await rows(tx, statement))
    all_states = ("available", "issued", "redeemed", "void")
    return views.CouponPool(**{state: states.get(state, 0) for state in all_states})


def _code_errors(codes: Sequence[NumberedCode]) -> list[views.LineError]:
    seen: Counter[str] = Counter()
    errors = []
    for line, code in codes:
        key = code_key(code)
        seen[key] += 1
        if not is_code(code):
            reason = "must be 1 to 64 letters and digits, with - _ . between them"
            errors.append(views.LineError(line, "code", reason))
        elif seen[key] > 1:
            errors.append(views.LineError(line, "code", f"{code} is duplicated"))
    return errors


async def _insert(
    tx: Tx, campaign_id: str, pool: str, codes: Sequence[NumberedCode], now: datetime
) -> list[views.LineError]:
    new = {"campaign_id": campaign_id, "pool": pool, "state": "available", "created_at": now}
    # Sorted, so that two imports of the same codes cannot deadlock.
    keys = sorted((code_key(code), code) for _, code in codes)
    values = [{"key": key, "code": code, **new} for key, code in keys]
    statement = insert(tx, coupons).on_conflict_do_nothing(index_elements=["key"])
    added: set[str] = set()
    if values:
        result = await tx.execute(statement.returning(coupons.c.code), values)
        added.update(result.scalars())
    return [
        views.LineError(line, "code", f"{code} already exists")
        for line, code in codes
        if code not in added
    ]


async def _resume(tx: Tx, campaign_id: str, pool: str, actor: str, now: datetime) -> None:
    """Queue a resume command for as many failed rewards as there are coupons, oldest first."""
    available = (await count(tx, campaign_id, pool)).available
    waiting = (
        commands.select_rewards_with_friend()
        .where(
            rewards.c.campaign_id == campaign_id,
            rewards.c.state == RewardState.FAILED,
            rewards.c.error_code == POOL_EMPTY,
            rewards.c.target["pool"].as_string() == pool,
        )
        .order_by(rewards.c.created_at, rewards.c.id)
        .limit(available)
    )
    found = await rows_of(tx, commands.RewardWithFriend, waiting)
    resumptions = [commands.command_of(reward) for reward in found]
    await inbox_events.queue_commands(tx, "reward_resume", actor, now, resumptions)
