"""The second and third stage of a conversion: confirm (hold and review are over) and reward; and their undoing."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from sqlalchemy import Row, bindparam, exists, func, select

from referrals.domain.reasons import Reason
from referrals.domain.states import (
    COUNTS_TOWARD_LIMITS,
    COUNTS_TOWARD_TIERS,
    ReferralState,
    RewardState,
)
from referrals.domain.tiers import earned_milestones
from referrals.errors import NoCouponError
from referrals.store import lookups
from referrals.store.activity import log
from referrals.store.activity.log import Scene
from referrals.store.db.ids import new_id
from referrals.store.db.sql import Tx, change, one, rows, written
from referrals.store.ledger import ledger
from referrals.store.rewards import coupons, creation
from referrals.store.rewards.reward_rows import (
    UNCALLED,
    amount_text,
    close,
    describe,
    is_due,
    rewards_of,
    set_reward,
)
from referrals.store.schema import advocates, campaigns, codes, milestones, referrals, rewards


async def confirm(tx: Tx, scene: Scene) -> None:
    """The conversion counts: toward tiers, which may earn milestones, and its due rewards are granted."""
    referral_id = str(scene.referral_id)
    await set_state(tx, referral_id, ReferralState.CONFIRMED, confirmed_at=scene.now)
    count = await _count(tx, scene.advocate.id, 1)
    if any(tier.at for tier in scene.campaign.rewards.tiers):
        await _win_milestones(tx, scene, count)
    await grant_due(tx, scene)


async def confirm_if_due(tx: Tx, scene: Scene, referral: Row[Any]) -> bool:
    """Where the hold is over, or the cooldown's place has come, or there is nothing to wait for."""
    waiting = (ReferralState.HELD, ReferralState.DEFERRED)
    due = referral.state in waiting and bool(referral.due_at <= scene.now)
    if due:
        await confirm(tx, scene)
    return due


async def grant_due(tx: Tx, scene: Scene) -> None:
    """Grant those of the scene's rewards (a referral's, or a milestone's) that the own ledger issues and that are due.

    A referral all of whose rewards are granted is rewarded.
    """
    approval = scene.campaign.rewards.approval
    own = [reward for reward in await rewards_of(tx, scene) if reward.provider == "ledger"]
    due = [reward for reward in own if is_due(reward, approval, scene.now)]
    if paid := [reward for reward in due if reward.type != "coupon"]:
        await ledger.grant(tx, [(reward, describe(reward)) for reward in paid], scene.now)
        await granted(tx, scene, paid)
    for reward in due:
        if reward.type == "coupon":
            await _issue(tx, scene, reward)
    await finish(tx, scene)


async def _issue(tx: Tx, scene: Scene, reward: Row[Any]) -> None:
    try:
        code = await coupons.issue(tx, reward, scene.now)
    except NoCouponError as error:
        await park(tx, scene, reward, Reason(error.code, str(error)))
    else:
        await granted(tx, scene, [reward], code)


async def park(tx: Tx, scene: Scene, reward: Row[Any], reason: Reason) -> None:
    """Failed: in sight, with why, until it is tried again or voided."""
    values = {"error_code": reason.code, "error": reason.message, "retry_at": None}
    await set_reward(tx, reward, RewardState.FAILED, **values)
    data = {"attempts": reward.attempts}
    await log.record(tx, scene, "reward_failed", reward=reward, reason=reason, data=data)


async def granted(
    tx: Tx, scene: Scene, paid: Sequence[Row[Any]], reference: str | None = None
) -> None:
    """The provider has confirmed the rewards; `reference` is its own name for one, for a coupon the code."""
    values = {"granted_at": scene.now, "reference": reference, "error": None, "error_code": None}
    values |= {"accepted_by_provider_at": None, "outcome_unknown_until": None}
    values |= {"state": RewardState.GRANTED}
    await tx.execute(_GRANTED, values | {"paid": [reward.id for reward in paid]})
    await log.record_each(tx, scene, "reward_granted", paid)


_GRANTED = rewards.update().where(rewards.c.id.in_(bindparam("paid", expanding=True)))


async def finish(tx: Tx, scene: Scene) -> None:
    """A confirmed referral is rewarded when nothing of it is to be granted any more."""
    if scene.milestone or not scene.referral_id:
        return
    await tx.execute(_REWARDED, {"row_id": scene.referral_id})


_OWING = exists().where(
    rewards.c.referral_id == referrals.c.id,
    rewards.c.state.in_([RewardState.PENDING, RewardState.GRANTING, RewardState.FAILED]),
)
_REWARDED = (
    referrals.update()
    .where(
        referrals.c.id == bindparam("row_id"), referrals.c.state == ReferralState.CONFIRMED, ~_OWING
    )
    .values(state=ReferralState.REWARDED)
)


async def roll_back(tx: Tx, scene: Scene, referral: Row[Any], reason: Reason) -> None:
    """Take an accepted conversion back: its place, its count, its rewards, and milestones it carried."""
    await set_state(
        tx,
        referral.id,
        ReferralState.ROLLED_BACK,
        closed_at=scene.now,
        reason_code=reason.code,
        reason=reason.message,
    )
    await give_place_back(tx, referral)
    await log.record(tx, scene, "referral_rolled_back", reason=reason)
    await take_back_rewards(tx, scene, reason)
    if referral.state in COUNTS_TOWARD_TIERS:
        await _lose_milestones(tx, scene, await _count(tx, referral.advocate_id, -1), reason)


async def give_place_back(tx: Tx, referral: Row[Any]) -> None:
    """The place under the code's and the campaign's limits; the advocate's is counted from the referrals."""
    if referral.state not in COUNTS_TOWARD_LIMITS:
        return
    await use_code(tx, referral, -1)
    await count_accepted(tx, referral, -1)


async def use_code(tx: Tx, referral: Row[Any], by: int) -> None:
    """Take a place under the code's limit, or give it back."""
    await tx.execute(_USE, {"used": referral.code, "by": by})


async def count_accepted(tx: Tx, referral: Row[Any], by: int) -> None:
    """Take a place in the campaign, or give it back. All of its conversions meet here: late in their transactions."""
    await tx.execute(_ACCEPT, {"row_id": referral.campaign_id, "by": by})


_USE = (
    codes.update()
    .where(codes.c.code == bindparam("used"))
    .values(uses=codes.c.uses + bindparam("by"))
)
_ACCEPT = (
    campaigns.update()
    .where(campaigns.c.id == bindparam("row_id"))
    .values(accepted_count=campaigns.c.accepted_count + bindparam("by"))
)


async def take_back_rewards(tx: Tx, scene: Scene, reason: Reason) -> None:
    """Void what is pending, take back what was granted."""
    for reward in await rewards_of(tx, scene):
        if reward.state == RewardState.PENDING:
            await close(tx, scene, reward, RewardState.VOIDED, reason)
        elif reward.state in (RewardState.GRANTED, RewardState.FAILED):
            await take_back(tx, scene, reward, reason)


async def take_back(tx: Tx, scene: Scene, reward: Row[Any], reason: Reason) -> None:
    """Reverse a reward in the own ledger; another provider's is left `rolling_back` for its workflow to see to."""
    if reward.provider != "ledger":
        values = UNCALLED | {"error": None, "error_code": None}
        await set_reward(tx, reward, RewardState.ROLLING_BACK, reason=reason.message, **values)
        return
    if reward.state == RewardState.FAILED:  # the own ledger had nothing to grant
        await close(tx, scene, reward, RewardState.VOIDED, reason)
    elif reward.type == "coupon":
        await _take_coupon_back(tx, scene, reward, reason)
    else:
        memo = f"Rolled back: {reason.message}"
        allow_negative = scene.campaign.rewards.rollback.allow_negative
        owed = await ledger.reverse(tx, reward, memo, scene.now, allow_negative=allow_negative)
        data = {"owed": amount_text(owed, reward.currency)} if owed else {}
        await close(tx, scene, reward, RewardState.ROLLED_BACK, reason, data)


async def _take_coupon_back(tx: Tx, scene: Scene, reward: Row[Any], reason: Reason) -> None:
    data = {"coupon": "void"}
    if not await coupons.void(tx, reward.id, scene.now):
        told = f"{reason.message} Its coupon had been redeemed already."
        reason, data = replace(reason, message=told), {"coupon": "redeemed"}
    await close(tx, scene, reward, RewardState.ROLLED_BACK, reason, data)


async def _win_milestones(tx: Tx, scene: Scene, count: int) -> None:
    reached = {row.tier for row in await _reached(tx, scene.advocate.id)}
    for tier in earned_milestones(scene.campaign.rewards.tiers, count, reached):
        earlier = select(func.count()).where(
            milestones.c.advocate_id == scene.advocate.id, milestones.c.tier == tier.name
        )
        occurrence = int((await one(tx, earlier))[0]) + 1
        statement = milestones.insert().values(
            id=new_id("mil"),
            advocate_id=scene.advocate.id,
            tier=tier.name,
            threshold=tier.at,
            occurrence=occurrence,
            state="reached",
            reached_at=scene.now,
            reached_by=scene.referral_id,
        )
        milestone = await one(tx, statement.returning(milestones))
        won_scene = of_milestone(scene, milestone)
        key = f"{scene.advocate.id}/{tier.name}/{occurrence}"
        await creation.promise_each(
            tx, won_scene, scene.now, creation.Offer(key, tier.reward, "advocate", tier.name)
        )
        await log.record(
            tx,
            won_scene,
            "milestone_reached",
            customer_id=scene.advocate.customer_id,
            data={"name": tier.name, "at": tier.at, "count": count, "occurrence": occurrence},
        )


async def _lose_milestones(tx: Tx, scene: Scene, count: int, reason: Reason) -> None:
    for milestone in await _reached(tx, scene.advocate.id):
        if milestone.threshold <= count:
            continue
        await tx.execute(
            milestones.update()
            .where(milestones.c.id == milestone.id)
            .values(state="lost", lost_at=scene.now, lost_by=scene.referral_id)
        )
        await log.record(
            tx,
            of_milestone(scene, milestone),
            "milestone_lost",
            reason=reason,
            customer_id=scene.advocate.customer_id,
            data={"name": milestone.tier, "at": milestone.threshold, "count": count},
        )


async def settle_milestone(tx: Tx, milestone_id: str, actor: str, now: datetime) -> str:
    """Grant a reached milestone's reward, or take a lost one's back. Returns the advocate's id."""
    milestone = await one(tx, select(milestones).where(milestones.c.id == milestone_id))
    scene, _ = await lookups.locked_scene(tx, milestone.lost_by or milestone.reached_by, actor, now)
    milestone = await one(tx, select(milestones).where(milestones.c.id == milestone_id))
    scene = of_milestone(scene, milestone)
    if milestone.state == "reached":
        await grant_due(tx, scene)
    else:
        reason = Reason("milestone_lost", f"Fewer than {milestone.threshold} conversions are left.")
        await take_back_rewards(tx, scene, reason)
    return str(milestone.advocate_id)


def of_milestone(scene: Scene, milestone: Row[Any]) -> Scene:
    """The same, as the milestone's: the advocate's own affair, whatever referral tipped it."""
    return replace(scene, milestone=milestone, friend_id=None)


async def _count(tx: Tx, advocate_id: str, by: int) -> int:
    return int((await one(tx, _COUNT, row_id=advocate_id, by=by)).confirmed_count)


_COUNT = (
    advocates.update()
    .where(advocates.c.id == bindparam("row_id"))
    .values(confirmed_count=advocates.c.confirmed_count + bindparam("by"))
    .returning(advocates.c.confirmed_count)
)


async def _reached(tx: Tx, advocate_id: str) -> list[Row[Any]]:
    statement = select(milestones).where(
        milestones.c.advocate_id == advocate_id, written(milestones.c.state, "reached")
    )
    return list(await rows(tx, statement))


async def set_state(tx: Tx, referral_id: str, state: ReferralState, **values: Any) -> None:
    await change(tx, referrals, referral_id, state=state, **values)
