"""Milestones follow the count of an advocate's confirmed conversions: reached on the way up, lost on the way down."""

from dataclasses import replace
from datetime import datetime

from sqlalchemy import bindparam, func, select

from referrals.domain.reasons import Reason
from referrals.domain.rewards import Tier
from referrals.domain.tiers import earned_milestones, is_lost
from referrals.store import lookups
from referrals.store.activity.context import ReferralContext
from referrals.store.activity.log import publish
from referrals.store.campaigns import versions
from referrals.store.db.columns import TableRow
from referrals.store.db.ids import new_id
from referrals.store.db.sql import Tx, get, literal_in, one, one_of, rows_of
from referrals.store.rewards import creation, granting, roll_backs
from referrals.store.rewards.creation import RewardSpec
from referrals.store.schema import MilestoneRow, advocates, campaigns, milestones


async def count_confirmed(tx: Tx, context: ReferralContext) -> None:
    """Count one more confirmed conversion, and record the milestones that it reaches by the version in force."""
    counted = await _count(tx, context, 1)
    campaign = context.campaign
    if counted.version != context.version:
        campaign = await versions.get_version(tx, campaign.campaign, counted.version)
    if not any(tier.at for tier in campaign.rewards.tiers):
        return
    reached = [row.tier for row in await _reached(tx, context.advocate.id)]
    if not earned_milestones(campaign.rewards.tiers, counted.confirmed_count, reached):
        return
    context = await _under_version_in_force(tx, context)
    tiers = context.campaign.rewards.tiers
    for tier in earned_milestones(tiers, counted.confirmed_count, reached):
        await _reach(tx, context, tier, counted.confirmed_count)


async def uncount_confirmed(tx: Tx, context: ReferralContext, reason: Reason) -> None:
    """Count one confirmed conversion less, and record the milestones that are lost by it."""
    count = (await _count(tx, context, -1)).confirmed_count
    above = [row for row in await _reached(tx, context.advocate.id) if row.threshold > count]
    if not above:
        return
    context = await _under_version_in_force(tx, context)
    for milestone in above:
        if is_lost(context.campaign.rewards.tiers, milestone.tier, milestone.threshold, count):
            await _lose(tx, context, milestone, count, reason)


async def _under_version_in_force(tx: Tx, context: ReferralContext) -> ReferralContext:
    """Return the context with the version in force, locked: an edit is applied before this decision or after it.

    An edit counts the advocates who have reached a tier, and must not miss one.
    """
    found = await versions.find_in_force(tx, context.campaign.campaign, lock=True)
    assert found is not None
    return replace(context, campaign=found.campaign, version=found.version)


async def process(tx: Tx, milestone_id: str, actor: str, now: datetime) -> None:
    """Grant the rewards of a reached milestone, or roll back those of a lost one."""
    milestone = await get(tx, milestones, id=milestone_id)
    referral_id = milestone.lost_by or milestone.reached_by
    context = await lookups.lock_milestone_context(tx, milestone_id, referral_id, actor, now)
    if await lookups.is_undone(tx, context):
        reason = Reason("milestone_lost", f"Fewer than {milestone.threshold} conversions are left.")
        await roll_backs.roll_back_rewards(tx, context, reason)
    else:
        await granting.grant_due(tx, context)


async def advocate_customer_id(tx: Tx, milestone_id: str) -> str:
    """Return the customer whose milestone it is."""
    statement = (
        select(advocates.c.customer_id)
        .join(milestones, milestones.c.advocate_id == advocates.c.id)
        .where(milestones.c.id == milestone_id)
    )
    return (await one(tx, statement))[0]


async def _reach(tx: Tx, context: ReferralContext, tier: Tier, count: int) -> None:
    occurrence = await _next_occurrence(tx, context.advocate.id, tier.identity)
    statement = milestones.insert().values(
        id=new_id("mil"),
        advocate_id=context.advocate.id,
        tier=tier.identity,
        name=tier.name,
        version=context.version,
        threshold=tier.at,
        occurrence=occurrence,
        state="reached",
        reached_at=context.now,
        reached_by=context.referral_id,
    )
    reached = await one_of(tx, MilestoneRow, statement.returning(milestones))
    own = context.for_milestone(reached)
    publish(
        tx,
        own,
        "milestone_reached",
        customer_id=context.advocate.customer_id,
        data={"name": tier.name, "at": tier.at, "count": count, "occurrence": occurrence},
    )
    identity = tier.identity
    origin = f"{context.advocate.id}/{identity}/{occurrence}"
    spec = RewardSpec(origin, tier.reward, "advocate", identity, context.now, tier.name)
    await creation.create(tx, own, spec)


async def _next_occurrence(tx: Tx, advocate_id: str, tier: str) -> int:
    earlier = select(func.count()).where(
        milestones.c.advocate_id == advocate_id, milestones.c.tier == tier
    )
    return int((await one(tx, earlier))[0]) + 1


async def _lose(
    tx: Tx, context: ReferralContext, milestone: MilestoneRow, count: int, reason: Reason
) -> None:
    await tx.execute(
        milestones.update()
        .where(milestones.c.id == milestone.id)
        .values(state="lost", lost_at=context.now, lost_by=context.referral_id)
    )
    publish(
        tx,
        context.for_milestone(milestone),
        "milestone_lost",
        reason=reason,
        customer_id=context.advocate.customer_id,
        data={"name": milestone.name, "at": milestone.threshold, "count": count},
    )


class _Counted(TableRow):
    confirmed_count: int
    version: int
    """Version of the campaign in force."""


async def _count(tx: Tx, context: ReferralContext, by: int) -> _Counted:
    values = {"row_id": context.advocate.id, "campaign": context.campaign.campaign, "by": by}
    return await one_of(tx, _Counted, _COUNT, **values)


_COUNT = (
    advocates.update()
    .where(advocates.c.id == bindparam("row_id"))
    .values(confirmed_count=advocates.c.confirmed_count + bindparam("by"))
    .returning(
        advocates.c.confirmed_count,
        select(campaigns.c.version)
        .where(campaigns.c.id == bindparam("campaign"))
        .scalar_subquery()
        .label("version"),
    )
)


async def _reached(tx: Tx, advocate_id: str) -> list[MilestoneRow]:
    statement = select(milestones).where(
        milestones.c.advocate_id == advocate_id, literal_in(milestones.c.state, "reached")
    )
    return list(await rows_of(tx, MilestoneRow, statement))
