"""Where a workflow resumes: read from SQL after each step, so that any run can take over from any other."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import (
    BindParameter,
    ColumnElement,
    Row,
    Select,
    Text,
    bindparam,
    case,
    cast,
    exists,
    literal,
    null,
    or_,
    select,
    union_all,
)

from referrals.domain.campaign import Campaign
from referrals.domain.states import AWAITING_CONFIRMATION, ReferralState, RewardState
from referrals.store.activity.context import friend_sender_id
from referrals.store.campaigns import versions
from referrals.store.db.sql import Tx, one, rows, written
from referrals.store.rewards.reward_rows import is_due
from referrals.store.schema import (
    advocates,
    journey_runs,
    milestones,
    referrals,
    rewards,
    workflow_starts,
)
from referrals.store.schema import messages as messages_table
from referrals.store.schema.journeys import OPEN_RUN_STATES
from referrals.store.schema.referrals import LIVE
from referrals.temporal.payloads import MilestoneChange, PendingWork

UNSETTLED = frozenset(
    {RewardState.PENDING, RewardState.GRANTING, RewardState.ROLLING_BACK, RewardState.FAILED}
)


async def of_friend(tx: Tx, campaign_id: str, friend_id: str, now: datetime) -> PendingWork:
    """The friend's latest referral in the campaign; nothing is open where there is none."""
    found = await rows(
        tx,
        _OF_FRIEND,
        campaign_id=campaign_id,
        friend_id=friend_id,
        sender_id=friend_sender_id(campaign_id, friend_id),
    )
    left = _by_kind(found)
    referral = next((row for row in found if row.what == "referral"), None)
    if referral is None:
        return PendingWork(**left)
    state = ReferralState(referral.state)
    unsettled: Sequence[Row[Any]] = ()
    if any(row.what == "unsettled" for row in found):
        unsettled = await rows(tx, _UNSETTLED, referral_id=referral.id)
    waiting = state in AWAITING_CONFIRMATION | {ReferralState.SIGNED_UP}
    return PendingWork(
        state=state,
        is_open=waiting or bool(unsettled),
        needs_attention=_parked(unsettled),
        rewards=() if waiting else await _due(tx, referral, unsettled, now),
        wake_at={
            ReferralState.SIGNED_UP: referral.window_ends_at,
            ReferralState.HELD: referral.due_at,
            ReferralState.DEFERRED: referral.due_at,
        }.get(state),
        **left,
    )


_UNSETTLED = (
    select(rewards)
    .where(rewards.c.referral_id == bindparam("referral_id"), rewards.c.state.in_(UNSETTLED))
    .order_by(rewards.c.key)
)


async def _due(
    tx: Tx, referral: Row[Any], unsettled: Sequence[Row[Any]], now: datetime
) -> tuple[str, ...]:
    if not unsettled:
        return ()
    campaign = await versions.at_version(tx, referral.campaign_id, referral.version)
    return _workable(unsettled, campaign, now)


async def of_advocate(tx: Tx, campaign_id: str, customer_id: str, now: datetime) -> PendingWork:
    """The advocate lives as long as the campaign."""
    found = await versions.in_force(tx, campaign_id)
    advocate = await one(
        tx,
        select(advocates.c.id).where(
            advocates.c.campaign_id == campaign_id, advocates.c.customer_id == customer_id
        ),
    )
    assert found is not None
    unsettled = await _unsettled_rewards(
        tx,
        rewards.c.milestone_id.in_(
            select(milestones.c.id).where(milestones.c.advocate_id == advocate.id)
        ),
    )
    ends_at = found.campaign.ends_at
    over = found.state == "archived" or (ends_at is not None and ends_at <= now)
    return PendingWork(
        state=found.state,
        is_open=not over or bool(unsettled),
        needs_attention=_parked(unsettled),
        rewards=_workable(unsettled, found.campaign, now),
        wake_at=None if over else ends_at,
        **_by_kind(await rows(tx, _OF_SENDER, sender_id=advocate.id)),
    )


async def of_journey(tx: Tx, run_id: str) -> PendingWork:
    """A run whose campaign is paused wakes by being told, not by time."""
    run = await one(tx, select(journey_runs).where(journey_runs.c.id == run_id))
    return PendingWork(
        state=run.state,
        is_open=run.state in OPEN_RUN_STATES,
        wake_at=run.wake_at if run.state == "running" else None,
        **_by_kind(await rows(tx, _OF_SENDER, sender_id=run_id)),
    )


async def _unsettled_rewards(tx: Tx, of: ColumnElement[bool]) -> Sequence[Row[Any]]:
    statement = select(rewards).where(of, rewards.c.state.in_(UNSETTLED)).order_by(rewards.c.key)
    return await rows(tx, statement)


def _parked(unsettled: Sequence[Row[Any]]) -> bool:
    return any(reward.state == RewardState.FAILED for reward in unsettled)


def _workable(unsettled: Sequence[Row[Any]], campaign: Campaign, now: datetime) -> tuple[str, ...]:
    """Rewards for which another provider is to be called now."""
    return tuple(
        reward.id
        for reward in unsettled
        if reward.provider != "ledger"
        and (
            reward.state in (RewardState.GRANTING, RewardState.ROLLING_BACK)
            or is_due(reward, campaign.rewards.approval, now)
        )
    )


def _by_kind(found: Sequence[Row[Any]]) -> dict[str, Any]:
    """What is left to the workflow, as a `PendingWork` has it."""
    left = sorted(found, key=lambda row: str(row.id))
    kinds = ("messages", "journeys_to_notify", "workflows_to_start")
    return {kind: tuple(row.id for row in left if row.what == kind) for kind in kinds} | {
        "milestones": tuple(
            MilestoneChange(milestone_id=row.id, state=row.state, advocate_id=row.advocate)
            for row in left
            if row.what == "milestones"
        )
    }


def _select(what: str, row_id: Any, state: Any = None, advocate: Any = None) -> Select[Any]:
    nothing = cast(null(), Text)
    return select(
        literal(what).label("what"),
        row_id.label("id"),
        (nothing if state is None else state).label("state"),
        (nothing if advocate is None else advocate).label("advocate"),
    )


_SENDER: BindParameter[str] = bindparam("sender_id")
_REFERRAL = (
    select(referrals)
    .where(
        referrals.c.campaign_id == bindparam("campaign_id"),
        referrals.c.friend_id == bindparam("friend_id"),
    )
    .order_by(case((LIVE, 1), else_=0).desc(), referrals.c.id.desc())
    .limit(1)
    .cte("referral")
)
"""The same referral as `lookups.find_latest_referral`."""
_ITS_ID = select(_REFERRAL.c.id).scalar_subquery()
_UNTOLD = or_(
    exists().where(
        messages_table.c.milestone_id == milestones.c.id,
        messages_table.c.sender_id == milestones.c.advocate_id,
        written(messages_table.c.state, "pending"),
    ),
    exists().where(
        journey_runs.c.milestone_id == milestones.c.id,
        journey_runs.c.notifier_workflow_id == milestones.c.advocate_id,
    ),
)
"""Where the budget has voided its reward there is nothing to settle, but news."""


def _milestones(by: ColumnElement[bool], behind: ColumnElement[bool]) -> Select[Any]:
    return (
        _select("milestones", milestones.c.id, milestones.c.state, advocates.c.customer_id)
        .join(rewards, rewards.c.milestone_id == milestones.c.id)
        .join(advocates, advocates.c.id == milestones.c.advocate_id)
        .where(by, behind | _UNTOLD)
        .distinct()
    )


_WON = _milestones(
    (milestones.c.reached_by == _ITS_ID) & (milestones.c.state == "reached"),
    rewards.c.state == RewardState.PENDING,
)
_LOST = _milestones(
    (milestones.c.lost_by == _ITS_ID) & (milestones.c.state == "lost"),
    rewards.c.state.in_([RewardState.PENDING, RewardState.GRANTED])
    # What failed to be granted; a roll-back that failed has its reason, and waits for an operator.
    | ((rewards.c.state == RewardState.FAILED) & rewards.c.reason.is_(None)),
)
_TO_SEND = (
    _select("messages", messages_table.c.id).where(
        messages_table.c.sender_id == _SENDER, written(messages_table.c.state, "pending")
    ),
    _select("journeys_to_notify", journey_runs.c.id).where(
        journey_runs.c.notifier_workflow_id == _SENDER
    ),
    _select("workflows_to_start", workflow_starts.c.id).where(
        workflow_starts.c.sender_id == _SENDER, written(workflow_starts.c.state, "pending")
    ),
)
_OF_SENDER = union_all(*_TO_SEND)
"""Messages to send, runs of journeys to tell, workflows to start."""
_LEFT = union_all(
    *_TO_SEND,
    _select("unsettled", rewards.c.id).where(
        rewards.c.referral_id == _ITS_ID, rewards.c.state.in_(UNSETTLED)
    ),
    _WON,
    _LOST,
    _select("referral", _REFERRAL.c.id, _REFERRAL.c.state),
).subquery("left_to_do")
_OF_FRIEND = select(
    _LEFT,
    _REFERRAL.c.campaign_id,
    _REFERRAL.c.version,
    _REFERRAL.c.window_ends_at,
    _REFERRAL.c.due_at,
).outerjoin(_REFERRAL, _LEFT.c.what == "referral")
"""Besides, the friend's referral, its rewards that are not settled, and the milestones that it won or lost, of which the
advocate's workflow has yet to hear.
"""
