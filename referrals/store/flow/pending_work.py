"""The work that a workflow still has to do, read from SQL after each step, so that any run can resume any other."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import (
    BindParameter,
    ColumnElement,
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

from referrals.domain.states import AWAITING_CONFIRMATION, ReferralState, RewardState
from referrals.store.campaigns import versions
from referrals.store.db.columns import TableRow
from referrals.store.db.sql import Tx, find, get, literal_in, rows_of
from referrals.store.rewards.granting import is_due
from referrals.store.schema import (
    RewardRow,
    advocates,
    journey_runs,
    milestones,
    referrals,
    rewards,
    tracked_events,
    workflow_starts,
)
from referrals.store.schema import messages as messages_table
from referrals.store.schema.journeys import OPEN_RUN_STATES
from referrals.store.schema.referrals import FRIEND_REFERRED
from referrals.temporal.payloads import MilestoneChange, PendingWork

OPEN_REWARDS = frozenset(
    {RewardState.PENDING, RewardState.GRANTING, RewardState.ROLLING_BACK, RewardState.FAILED}
)

MERGED = "merged"
"""State of the work for an advocate whose customer was merged into another."""


class _Item(TableRow):
    """Row of `_select`: one thing that is left to do, of the kind `what`."""

    what: str
    id: str
    state: str
    advocate: str


class _ItemOfReferral(_Item):
    """Item that may be the referral itself; only then the further columns are set."""

    campaign_id: str
    version: int
    window_ends_at: datetime | None
    due_at: datetime | None


async def find_for_referral(tx: Tx, workflow_id: str, now: datetime) -> PendingWork:
    """Find the work for the latest referral of the workflow; none if there is no referral."""
    found = await rows_of(
        tx, _ItemOfReferral, _OF_REFERRAL, workflow_id=workflow_id, sender_id=workflow_id
    )
    pending = _by_kind(found)
    referral = next((row for row in found if row.what == "referral"), None)
    if referral is None:
        return PendingWork(**pending)
    state = ReferralState(referral.state)
    open_rewards: Sequence[RewardRow] = ()
    if any(row.what == "open_rewards" for row in found):
        open_rewards = await rows_of(tx, RewardRow, _OPEN_REWARDS, referral_id=referral.id)
    waiting = state in AWAITING_CONFIRMATION | {ReferralState.SIGNED_UP}
    return PendingWork(
        state=state,
        is_open=waiting or bool(open_rewards),
        needs_attention=_has_failed(open_rewards),
        rewards=() if waiting else _rewards_to_process(open_rewards, now),
        wake_at=_wake_at(referral, open_rewards, now),
        **pending,
    )


def _wake_at(
    referral: _ItemOfReferral, open_rewards: Sequence[RewardRow], now: datetime
) -> datetime | None:
    """Return the end of the attribution window or hold; after that, the time at which the next reward is due."""
    match ReferralState(referral.state):
        case ReferralState.SIGNED_UP:
            return referral.window_ends_at
        case ReferralState.HELD:
            return referral.due_at
        case ReferralState.CONFIRMED:
            pending = (row.due_at for row in open_rewards if row.state == RewardState.PENDING)
            return min((due_at for due_at in pending if due_at and due_at > now), default=None)
    return None


_OPEN_REWARDS = (
    select(rewards)
    .where(rewards.c.referral_id == bindparam("referral_id"), rewards.c.state.in_(OPEN_REWARDS))
    .order_by(rewards.c.key)
)


async def find_for_advocate(
    tx: Tx, campaign_id: str, customer_id: str, now: datetime
) -> PendingWork:
    """Find the work for an advocate, whose workflow stays open until the campaign ends.

    There is none for a customer who was merged: the survivor's workflow has it.
    """
    found = await versions.find_in_force(tx, campaign_id)
    advocate = await find(tx, advocates, campaign_id=campaign_id, customer_id=customer_id)
    if advocate is None or advocate.merged_into:
        return PendingWork(state=MERGED)
    assert found is not None
    open_rewards = await rows_of(
        tx, RewardRow, _OPEN_REWARDS_OF_MILESTONES, advocate_id=advocate.id
    )
    ends_at = found.campaign.ends_at
    over = found.state == "archived" or (ends_at is not None and ends_at <= now)
    return PendingWork(
        state=found.state,
        is_open=not over or bool(open_rewards),
        needs_attention=_has_failed(open_rewards),
        rewards=_rewards_to_process(open_rewards, now),
        wake_at=None if over else ends_at,
        **_by_kind(await rows_of(tx, _Item, _OF_SENDER, sender_id=advocate.id)),
    )


async def find_for_journey(tx: Tx, run_id: str) -> PendingWork:
    """Find the work for a journey run. While its campaign is paused, a command wakes it, not time."""
    run = await get(tx, journey_runs, id=run_id)
    return PendingWork(
        state=run.state,
        is_open=run.state in OPEN_RUN_STATES,
        wake_at=run.wake_at if run.state == "running" else None,
        **_by_kind(await rows_of(tx, _Item, _OF_SENDER, sender_id=run_id)),
    )


_OPEN_REWARDS_OF_MILESTONES = (
    select(rewards)
    .join(milestones, milestones.c.id == rewards.c.milestone_id)
    .where(milestones.c.advocate_id == bindparam("advocate_id"), rewards.c.state.in_(OPEN_REWARDS))
    .order_by(rewards.c.key)
)


def _has_failed(open_rewards: Sequence[RewardRow]) -> bool:
    return any(reward.state == RewardState.FAILED for reward in open_rewards)


def _rewards_to_process(open_rewards: Sequence[RewardRow], now: datetime) -> tuple[str, ...]:
    """Return the ids of rewards whose provider has to be called now."""
    return tuple(
        reward.id
        for reward in open_rewards
        if reward.provider != "ledger"
        and (
            reward.state in (RewardState.GRANTING, RewardState.ROLLING_BACK) or is_due(reward, now)
        )
    )


def _by_kind(found: Sequence[_Item]) -> dict[str, Any]:
    """Group the rows into the fields of `PendingWork`."""
    ordered = sorted(found, key=lambda row: str(row.id))
    kinds = ("messages", "journeys_to_notify", "workflows_to_start", "events_to_track")
    return {kind: tuple(row.id for row in ordered if row.what == kind) for kind in kinds} | {
        "milestones": tuple(
            MilestoneChange(milestone_id=row.id, state=row.state, advocate_id=row.advocate)
            for row in ordered
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
    .where(referrals.c.workflow_id == bindparam("workflow_id"))
    .order_by(case((FRIEND_REFERRED, 1), else_=0).desc(), referrals.c.id.desc())
    .limit(1)
    .cte("referral")
)
_REFERRAL_ID = select(_REFERRAL.c.id).scalar_subquery()
_HAS_NEWS = or_(
    exists().where(
        messages_table.c.milestone_id == milestones.c.id,
        messages_table.c.sender_id == milestones.c.advocate_id,
        literal_in(messages_table.c.state, "pending"),
    ),
    exists().where(
        journey_runs.c.milestone_id == milestones.c.id,
        journey_runs.c.notifier_workflow_id == milestones.c.advocate_id,
    ),
)
"""Selects milestones with a pending message or journey, even if the budget has voided their reward."""


def _milestones(by: ColumnElement[bool], is_due: ColumnElement[bool]) -> Select[Any]:
    return (
        _select("milestones", milestones.c.id, milestones.c.state, advocates.c.customer_id)
        .join(rewards, rewards.c.milestone_id == milestones.c.id)
        .join(advocates, advocates.c.id == milestones.c.advocate_id)
        .where(by, is_due | _HAS_NEWS)
        .distinct()
    )


_REACHED = _milestones(
    (milestones.c.reached_by == _REFERRAL_ID) & (milestones.c.state == "reached"),
    rewards.c.state == RewardState.PENDING,
)
_LOST = _milestones(
    (milestones.c.lost_by == _REFERRAL_ID) & (milestones.c.state == "lost"),
    rewards.c.state.in_([RewardState.PENDING, RewardState.GRANTED])
    # A grant that failed. A roll-back that failed has a reason, and waits for an operator.
    | ((rewards.c.state == RewardState.FAILED) & rewards.c.reason.is_(None)),
)
_TO_SEND = (
    _select("messages", messages_table.c.id).where(
        messages_table.c.sender_id == _SENDER, literal_in(messages_table.c.state, "pending")
    ),
    _select("journeys_to_notify", journey_runs.c.id).where(
        journey_runs.c.notifier_workflow_id == _SENDER
    ),
    _select("workflows_to_start", workflow_starts.c.id).where(
        workflow_starts.c.sender_id == _SENDER, literal_in(workflow_starts.c.state, "pending")
    ),
    _select("events_to_track", tracked_events.c.id).where(
        tracked_events.c.sender_id == _SENDER, literal_in(tracked_events.c.state, "pending")
    ),
)
_OF_SENDER = union_all(*_TO_SEND)
"""Messages to send, journeys to notify, workflows to start and events to track."""
_PENDING = union_all(
    *_TO_SEND,
    _select("open_rewards", rewards.c.id).where(
        rewards.c.referral_id == _REFERRAL_ID, rewards.c.state.in_(OPEN_REWARDS)
    ),
    _REACHED,
    _LOST,
    _select("referral", _REFERRAL.c.id, _REFERRAL.c.state),
).subquery("pending")
_OF_REFERRAL = select(
    _PENDING,
    _REFERRAL.c.campaign_id,
    _REFERRAL.c.version,
    _REFERRAL.c.window_ends_at,
    _REFERRAL.c.due_at,
).outerjoin(_REFERRAL, _PENDING.c.what == "referral")
"""Selects the same for a referral, plus the referral, its open rewards, and milestones that the advocate's workflow must process."""
