"""Milestones follow the count of an advocate's confirmed conversions: reached on the way up, lost on the way down."""

from datetime import datetime

from sqlalchemy import bindparam, func, select

from referrals.domain.reasons import Reason
from referrals.domain.rewards import Tier
from referrals.domain.tiers import earned_milestones
from referrals.store import lookups
from referrals.store.activity.context import ReferralContext
from referrals.store.activity.log import publish
from referrals.store.db.ids import new_id
from referrals.store.db.sql import Tx, get, literal_in, one, one_of, rows_of
from referrals.store.rewards import creation, granting, roll_backs
from referrals.store.rewards.creation import RewardSpec
from referrals.store.schema import MilestoneRow, advocates, milestones


async def count_confirmed(tx: Tx, context: ReferralContext) -> None:
    """Count one more confirmed conversion, and record the milestones that it reaches."""
    count = await _count(tx, context.advocate.id, 1)
    tiers = context.campaign.rewards.tiers
    if not any(tier.at for tier in tiers):
        return
    reached = {row.tier for row in await _reached(tx, context.advocate.id)}
    for tier in earned_milestones(tiers, count, reached):
        await _reach(tx, context, tier, count)


async def uncount_confirmed(tx: Tx, context: ReferralContext, reason: Reason) -> None:
    """Count one confirmed conversion less, and record the milestones that are lost by it."""
    count = await _count(tx, context.advocate.id, -1)
    for milestone in await _reached(tx, context.advocate.id):
        if milestone.threshold > count:
            await _lose(tx, context, milestone, count, reason)


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


async def _reach(tx: Tx, context: ReferralContext, tier: Tier, count: int) -> None:
    occurrence = await _next_occurrence(tx, context.advocate.id, tier.name)
    statement = milestones.insert().values(
        id=new_id("mil"),
        advocate_id=context.advocate.id,
        tier=tier.name,
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
    origin = f"{context.advocate.id}/{tier.name}/{occurrence}"
    spec = RewardSpec(origin, tier.reward, "advocate", tier.name, tier.name)
    await creation.create(tx, own, context.now, spec)


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
        data={"name": milestone.tier, "at": milestone.threshold, "count": count},
    )


async def _count(tx: Tx, advocate_id: str, by: int) -> int:
    return (await one(tx, _COUNT, row_id=advocate_id, by=by))[0]


_COUNT = (
    advocates.update()
    .where(advocates.c.id == bindparam("row_id"))
    .values(confirmed_count=advocates.c.confirmed_count + bindparam("by"))
    .returning(advocates.c.confirmed_count)
)


async def _reached(tx: Tx, advocate_id: str) -> list[MilestoneRow]:
    statement = select(milestones).where(
        milestones.c.advocate_id == advocate_id, literal_in(milestones.c.state, "reached")
    )
    return list(await rows_of(tx, MilestoneRow, statement))
