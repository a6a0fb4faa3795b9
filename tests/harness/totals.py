"""Totals of a campaign, which do not depend on the order of events; and spending from a wallet."""

from collections import Counter
from datetime import datetime
from typing import Any
from uuid import uuid4

from sqlalchemy import Select, case, func, insert, or_, select

from referrals.domain.states import COUNTS_TOWARD_LIMITS
from referrals.store import Store
from referrals.store.schema import (
    advocates,
    campaigns,
    codes,
    customers,
    ledger_accounts,
    ledger_entries,
    milestones,
    referrals,
    rewards,
    shares,
)

REVERSED = ("voided", "rolled_back")
"""States of rewards that do not count; which of them a reward ends in depends on the order of events."""


async def campaign_totals(store: Store, campaign: str) -> dict[str, Any]:
    """Count balances, rewards, referrals, milestones, limit counters and shares of a campaign."""
    counted: dict[str, Select[Any]] = {
        "rewards": select(rewards.c.side, rewards.c.tier, rewards.c.state).where(
            rewards.c.campaign_id == campaign, rewards.c.state.not_in(REVERSED)
        ),
        "referrals": select(referrals.c.state).where(
            referrals.c.campaign_id == campaign, referrals.c.state.in_(COUNTS_TOWARD_LIMITS)
        ),
        "milestones": _of_advocates(milestones, campaign)
        .with_only_columns(milestones.c.tier)
        .where(milestones.c.state == "reached"),
        "shares": _of_advocates(shares, campaign).with_only_columns(shares.c.channel),
        "limit_counters": select(
            codes.c.uses, campaigns.c.accepted_count, advocates.c.confirmed_count
        )
        .join(campaigns, campaigns.c.id == codes.c.campaign_id)
        .join(advocates, advocates.c.id == codes.c.advocate_id)
        .where(codes.c.campaign_id == campaign),
    }
    async with store.read() as tx:
        found = {
            name: Counter("/".join(map(str, row)) for row in await tx.execute(statement))
            for name, statement in counted.items()
        }
        money = {
            f"{side}/{kind}": int(sum_)
            for side, kind, sum_ in await tx.execute(_balances(campaign))
        }
    return found | {"balances": {account: amount for account, amount in money.items() if amount}}


def _balances(campaign: str) -> Select[Any]:
    signed = case(
        (ledger_entries.c.credit_id == ledger_accounts.c.id, ledger_entries.c.amount),
        else_=-ledger_entries.c.amount,
    )
    return (
        select(rewards.c.side, ledger_accounts.c.kind, func.sum(signed))
        .join(ledger_entries, ledger_entries.c.reward_id == rewards.c.id)
        .join(
            ledger_accounts,
            or_(
                ledger_accounts.c.id == ledger_entries.c.credit_id,
                ledger_accounts.c.id == ledger_entries.c.debit_id,
            ),
        )
        .where(rewards.c.campaign_id == campaign, ledger_accounts.c.kind != "issued")
        .group_by(rewards.c.side, ledger_accounts.c.kind)
    )


def _of_advocates(table: Any, campaign: str) -> Select[Any]:
    start_journey = select(table).join(advocates, advocates.c.id == table.c.advocate_id)
    return start_journey.where(advocates.c.campaign_id == campaign)


async def spend(store: Store, customer: str, amount: int, now: datetime) -> None:
    """Spend points of the customer's wallet."""
    owner = select(customers.c.id).where(customers.c.external_id == customer).scalar_subquery()
    points = select(ledger_accounts.c.id).where(ledger_accounts.c.type == "points")
    async with store.begin() as tx:
        wallet = points.where(ledger_accounts.c.kind == "wallet", ledger_accounts.c.owner == owner)
        issued = points.where(ledger_accounts.c.kind == "issued")
        await tx.execute(
            insert(ledger_entries).values(
                key=f"spend:{uuid4()}",
                debit_id=(await tx.execute(wallet)).scalar_one(),
                credit_id=(await tx.execute(issued)).scalar_one(),
                amount=amount,
                at=now,
                memo="Spent",
            )
        )
