"""Create the rewards of a conversion or a milestone: rows with deterministic keys, within the budget."""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any

from sqlalchemy import Select, Text, bindparam, func, select, union_all

from referrals.domain.campaign import Campaign
from referrals.domain.reasons import Reason, RejectReason
from referrals.domain.rewards import Reward
from referrals.domain.states import RewardState
from referrals.domain.tiers import each_conversion_tiers
from referrals.store.activity.context import ReferralContext
from referrals.store.activity.log import publish
from referrals.store.db.columns import required
from referrals.store.db.sql import Tx, insert_for
from referrals.store.rewards import budgets
from referrals.store.rewards.reward_rows import close_without_debt
from referrals.store.schema import ReferralRow, RewardRow, customers, rewards

_ID_NAMESPACE = uuid.UUID("6d0f0b0a-3f0b-4a53-9f0e-6f6a2b0c7c11")
BUDGET_EXHAUSTED = Reason(RejectReason.BUDGET_EXHAUSTED, "The campaign's budget is spent.")


@dataclass(frozen=True)
class RewardSpec:
    """A reward to create, once for its `origin`: the decision that creates it.

    `name` is the reward's name in the provider's key: the side, the first name of the tier, or that of the journey with
    the index of its step. It survives renames; `tier` is the present name.
    """

    origin: str
    reward: Reward
    side: str
    name: str
    due_at: datetime
    tier: str | None = None


def rewards_of_conversion(campaign: Campaign) -> list[Reward]:
    """Return the rewards of every conversion: the friend's, and those of the advocate for each friend."""
    friend = [campaign.rewards.friend] if campaign.rewards.friend else []
    return friend + [tier.reward for tier in each_conversion_tiers(campaign.rewards.tiers)]


async def create_for_conversion(tx: Tx, context: ReferralContext, referral: ReferralRow) -> None:
    """Create the rewards of both sides: the friend's for the end of the hold, the advocate's for that of the cooldown."""
    origin, friend = referral.id, context.campaign.rewards.friend
    due_at, specs = required(referral.due_at), []
    if friend:
        specs.append(RewardSpec(f"{origin}/friend", friend, "friend", "friend", due_at))
    rewardable_at = required(referral.rewardable_at)
    for tier in each_conversion_tiers(context.campaign.rewards.tiers):
        name, own = tier.identity, f"{origin}/advocate/{tier.identity}"
        specs.append(RewardSpec(own, tier.reward, "advocate", name, rewardable_at, tier=tier.name))
    await create(tx, context, *specs)


async def create(tx: Tx, context: ReferralContext, *specs: RewardSpec) -> None:
    """Create rewards that do not exist yet. A reward beyond the budget is voided."""
    budget = context.campaign.limits.budget
    if budget is None:
        await _insert(tx, context, specs, in_budget=True)
        return
    for spec in specs:  # one after another, because each may be the last that fits
        fits = await budgets.fits(tx, context.campaign, budget, [spec.reward], context.now)
        await _insert(tx, context, [spec], in_budget=fits)


async def _insert(
    tx: Tx,
    context: ReferralContext,
    specs: Sequence[RewardSpec],
    *,
    in_budget: bool,
) -> None:
    if not specs:
        return
    values = {
        f"{name}_{number}": value
        for number, spec in enumerate(specs)
        for name, value in _row(context, spec).items()
    }
    new = _insert_statement(tx.dialect.name, len(specs))
    created: Sequence[Any] = (await tx.execute(new, values)).all()
    reward: RewardRow
    for reward in created:
        if not in_budget:
            await close_without_debt(tx, context, reward, RewardState.VOIDED, BUDGET_EXHAUSTED)
        else:
            announce_if_pending(tx, context, reward)


def announce_if_pending(tx: Tx, context: ReferralContext, reward: RewardRow) -> None:
    """Publish when a new reward is due, unless that is now."""
    due_at = required(reward.due_at)
    if due_at > context.now:
        data = {"due_at": due_at.isoformat()}
        publish(tx, context, "reward_pending", reward=reward, data=data)


@cache
def _insert_statement(dialect: str, count: int) -> Any:
    """Return the INSERT of so many rewards that gives each the next occurrence of its key.

    It selects the rows, because SQLAlchemy compiles an INSERT with several rows of VALUES at each execution.
    """
    new = insert_for(dialect, rewards).from_select(
        [*_COLUMNS, "key_prefix", "occurrence"],
        union_all(*(_select_row(number) for number in range(count))),
    )
    return new.on_conflict_do_nothing(index_elements=["origin"]).returning(rewards)


def _select_row(number: int) -> Select[*tuple[Any, ...]]:
    """Return the SELECT of a row; its parameters have the number as suffix."""

    def parameter(name: str, kind: Any = Text) -> Any:
        return bindparam(f"{name}_{number}", type_=kind)

    prefix = parameter("campaign") + customers.c.reward_subject + parameter("name")
    last = select(func.coalesce(func.max(rewards.c.occurrence), 0))
    occurrence = last.where(rewards.c.key_prefix == prefix).scalar_subquery() + 1
    given = [parameter(name, rewards.c[name].type) for name in _COLUMNS]
    return select(*given, prefix, occurrence).where(customers.c.id == parameter("subject_id"))


_COLUMNS = (
    "id",
    "origin",
    "campaign_id",
    "referral_id",
    "milestone_id",
    "side",
    "tier",
    "customer_id",
    "type",
    "amount",
    "currency",
    "state",
    "provider",
    "target",
    "due_at",
    "approval",
    "created_at",
)
"""Columns whose values `_row` returns."""


def reward_id_of(origin: str) -> str:
    """Return the id of the reward that this origin creates."""
    return f"rew_{uuid.uuid5(_ID_NAMESPACE, origin).hex}"


def _row(context: ReferralContext, spec: RewardSpec) -> dict[str, Any]:
    reward, milestone = spec.reward, context.milestone
    provider, target = context.campaign.rewards.provider_of(reward)
    advocate_id = context.advocate.customer_id
    return {
        "id": reward_id_of(spec.origin),
        "origin": spec.origin,
        "campaign": f"{context.campaign.campaign}/",
        "subject_id": context.friend_id or advocate_id,
        "name": f"/{spec.name}",
        "campaign_id": context.campaign.campaign,
        "referral_id": None if milestone else context.referral_id,
        "milestone_id": milestone.id if milestone else None,
        "side": spec.side,
        "tier": spec.tier,
        "customer_id": context.friend_id if spec.side == "friend" else advocate_id,
        "type": reward.type,
        "amount": reward.minor,
        "currency": reward.currency,
        "state": RewardState.PENDING,
        "provider": provider,
        "target": target,
        "due_at": spec.due_at,
        "approval": "awaited" if context.campaign.rewards.approval else None,
        "created_at": context.now,
    }
