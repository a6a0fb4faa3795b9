"""Rewards that another provider issues: our row first, then the call, then the provider's word on our row.

A reward is worked on by one activity at a time, its workflow's. `granting` and `rolling_back` are written before the
call, so that whoever comes after a crash knows that the provider may have booked it, and looks before calling again.
"""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import Row, Select, func, select

from referrals.domain.decisions import Reason
from referrals.domain.states import COUNTED, Decision, ReferralState, RewardState
from referrals.store import answers, customers, inbox, scenes, settlement
from referrals.store.coupons import POOL_EMPTY
from referrals.store.records import Scene
from referrals.store.reversals import NotPossible
from referrals.store.schema import milestones, referrals, rewards
from referrals.store.settlement import close, is_due, set_reward
from referrals.store.sql import Tx, first, one

WORKED_ON = frozenset({RewardState.PENDING, RewardState.GRANTING, RewardState.ROLLING_BACK})


@dataclass(frozen=True)
class Work:
    """What is to be done about a reward at its provider."""

    reward: Row[Any]
    customer: str
    """The caller's own id, by which the provider knows the customer too."""
    repeated: bool
    """It was begun before: the provider may have booked it."""


async def begin(tx: Tx, reward_id: str, now: datetime) -> Work | None:
    """Take the next step up, and count the attempt; None where there is nothing to do (any more)."""
    scene, reward = await _locked(tx, reward_id, now)
    if reward.state == RewardState.PENDING:
        if not is_due(reward, scene.campaign.rewards.approval, now):
            return None
        await set_reward(tx, reward, RewardState.GRANTING, attempts=1)
    elif reward.state in WORKED_ON:
        await set_reward(tx, reward, RewardState(reward.state), attempts=reward.attempts + 1)
    else:
        return None
    customer = await customers.get(tx, reward.customer_id)
    return Work(await _get(tx, reward_id), customer.external_id, repeated=reward.attempts > 0)


async def granted(tx: Tx, reward_id: str, reference: str | None, now: datetime) -> None:
    """The provider has it. If the referral was rolled back meanwhile, the reward goes back next."""
    scene, reward = await _locked(tx, reward_id, now)
    if reward.state != RewardState.GRANTING:
        return
    await settlement.granted(tx, scene, reward, reference)
    if await _taken_back(tx, scene):
        values = {"attempts": 0, "taken_at": None, "reason": "Rolled back while being granted."}
        await set_reward(tx, reward, RewardState.ROLLING_BACK, **values)
    await settlement.finish(tx, scene)


async def rolled_back(tx: Tx, reward_id: str, now: datetime, *, was_granted: bool) -> None:
    """The provider has taken it back; or never had it, and it is void."""
    scene, reward = await _locked(tx, reward_id, now)
    if reward.state != RewardState.ROLLING_BACK:
        return
    reason = Reason("rolled_back", reward.reason or "Rolled back.")
    state = RewardState.ROLLED_BACK if was_granted else RewardState.VOIDED
    await close(tx, scene, reward, state, reason)


async def find(tx: Tx, reward_id: str) -> Row[Any] | None:
    """The reward, with the `friend_id` of its referral where it has one."""
    return await first(tx, select_rewards().where(rewards.c.id == reward_id))


def select_rewards() -> Select[Any]:
    friend = referrals.c.id == rewards.c.referral_id
    return select(rewards, referrals.c.friend_id).join(referrals, friend, isouter=True)


def about(reward: Row[Any], reason: str = "") -> dict[str, Any]:
    """Of a command about one of `select_rewards`: its data, and in which workflow it is done."""
    return {
        "data": {"reward": reward.id, "reason": reason, "milestone": reward.milestone_id},
        "campaign_id": reward.campaign_id,
        # Of a referral's reward the friend's workflow takes care, of a milestone's the advocate's.
        "customer_id": reward.friend_id or reward.customer_id,
    }


async def taken(tx: Tx, reward_id: str, reference: str | None, now: datetime) -> None:
    """The provider has taken the call and will book it: from now on it is only asked, not called again."""
    await tx.execute(
        rewards.update()
        .where(rewards.c.id == reward_id)
        .values(taken_at=now, reference=func.coalesce(reference, rewards.c.reference))
    )


async def note_error(
    tx: Tx, reward_id: str, code: str, sentence: str, retry_at: datetime | None
) -> None:
    """What the last attempt met; it is tried again at `retry_at`."""
    await tx.execute(
        rewards.update()
        .where(rewards.c.id == reward_id)
        .values(error_code=code, error=sentence, retry_at=retry_at)
    )


async def park(tx: Tx, reward_id: str, code: str, sentence: str, now: datetime) -> None:
    """Failed: in sight, with the provider's words, until an operator retries or voids it."""
    scene, reward = await _locked(tx, reward_id, now)
    if reward.state not in WORKED_ON:
        return
    if reward.state == RewardState.GRANTING and await _taken_back(tx, scene):
        # Whether the provider has it after all is seen when it is taken back.
        values = {"attempts": 0, "taken_at": None, "reason": sentence}
        await set_reward(tx, reward, RewardState.ROLLING_BACK, **values)
        return
    await settlement.park(tx, scene, reward, Reason(code, sentence))


async def command(tx: Tx, event_id: str, now: datetime) -> None:
    """What an operator asks for one reward; done again, it changes nothing. Raises NotPossible."""
    event = await inbox.claim(tx, event_id)
    if event.answer:
        return
    scene, reward = await _locked(tx, event.data["reward"], now)
    scene = replace(scene, actor=event.actor)
    await COMMANDS[event.type](tx, scene, reward, event.data.get("reason", ""))
    await settlement.finish(tx, scene)
    await answers.give(tx, event, Decision.ACCEPTED, referral_id=reward.referral_id)


async def _retry(tx: Tx, scene: Scene, reward: Row[Any], _: str) -> None:
    _require(reward, RewardState.FAILED)
    if reward.provider == "ledger":
        await set_reward(tx, reward, RewardState.PENDING)
        await settlement.grant_due(tx, scene)
        return
    back = await _taken_back(tx, scene) or reward.granted_at is not None
    state = RewardState.ROLLING_BACK if back else RewardState.GRANTING
    await set_reward(tx, reward, state, retry_at=None, taken_at=None)


async def _resume(tx: Tx, scene: Scene, reward: Row[Any], _: str) -> None:
    """Coupons have come: nothing else can be in the way, and somebody may have seen to the reward meanwhile."""
    if reward.state == RewardState.FAILED and reward.error_code == POOL_EMPTY:
        await _retry(tx, scene, reward, "")


async def _void(tx: Tx, scene: Scene, reward: Row[Any], reason: str) -> None:
    if reward.state == RewardState.VOIDED:
        return
    _require(reward, RewardState.PENDING, RewardState.FAILED)
    await close(tx, scene, reward, RewardState.VOIDED, Reason("voided_by_operator", reason))


async def _roll_back(tx: Tx, scene: Scene, reward: Row[Any], reason: str) -> None:
    if reward.state in (RewardState.ROLLED_BACK, RewardState.ROLLING_BACK):
        return
    _require(reward, RewardState.GRANTED)
    told = Reason("rolled_back_by_operator", reason)
    await settlement.take_back(tx, scene, reward, told)


async def _approve(tx: Tx, scene: Scene, reward: Row[Any], _: str) -> None:
    _require(reward, RewardState.PENDING)
    approved_at = reward.approved_at or scene.now
    await set_reward(tx, reward, RewardState.PENDING, approved_at=approved_at)
    if scene.milestone or await _confirmed(tx, scene):
        await settlement.grant_due(tx, scene)


COMMANDS = {
    "reward_retry": _retry,
    "reward_resume": _resume,
    "reward_void": _void,
    "reward_roll_back": _roll_back,
    "reward_approve": _approve,
}


def _require(reward: Row[Any], *states: RewardState) -> None:
    if reward.state not in states:
        raise NotPossible(f"The reward is {reward.state}, not {' or '.join(states)}.")


async def _confirmed(tx: Tx, scene: Scene) -> bool:
    return (await scenes.get_referral(tx, str(scene.referral_id))).state in COUNTED


async def _locked(tx: Tx, reward_id: str, now: datetime) -> tuple[Scene, Row[Any]]:
    """The reward with its scene, the advocate locked."""
    reward = await _get(tx, reward_id)
    if reward.referral_id:
        scene, _ = await scenes.locked_scene(tx, reward.referral_id, "engine", now)
        return scene, await _get(tx, reward_id)
    milestone = await one(tx, select(milestones).where(milestones.c.id == reward.milestone_id))
    scene, _ = await scenes.locked_scene(tx, milestone.reached_by, "engine", now)
    milestone = await one(tx, select(milestones).where(milestones.c.id == reward.milestone_id))
    return settlement.of_milestone(scene, milestone), await _get(tx, reward_id)


async def _taken_back(tx: Tx, scene: Scene) -> bool:
    if scene.milestone:
        return bool(scene.milestone.state == "lost")
    referral = await scenes.get_referral(tx, str(scene.referral_id))
    return bool(referral.state == ReferralState.ROLLED_BACK)


async def _get(tx: Tx, reward_id: str) -> Row[Any]:
    return await one(tx, select(rewards).where(rewards.c.id == reward_id))
