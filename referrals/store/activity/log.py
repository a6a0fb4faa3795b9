"""The activity log, the append-only record of everything that happened.

A decision publishes its events to its transaction; `store.flow.event_loop` writes them here in that order when the
decision is made, and then lets journeys react to them.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import Boolean, ColumnElement, literal_column

from referrals.domain.reasons import Reason
from referrals.store.activity.context import ReferralContext
from referrals.store.db.sql import Tx, add
from referrals.store.schema import RewardRow, activity


@dataclass(frozen=True)
class ActivityEvent:
    """An event of a decision, not written to the log yet.

    `occurrence` distinguishes events of the same type and subject (two shares of one code), so that each may start a
    journey.
    """

    type: str
    context: ReferralContext
    reason: Reason | None = None
    reward: RewardRow | None = None
    customer_id: str | None = None
    data: Mapping[str, Any] = field(default_factory=dict)
    occurrence: str = ""


@dataclass(frozen=True)
class LoggedEvent:
    """An event with its id in the log. `has_listeners` says whether a running journey of the advocate may react."""

    event: ActivityEvent
    id: int
    has_listeners: bool


def publish(
    tx: Tx,
    context: ReferralContext,
    event_type: str,
    *,
    reason: Reason | None = None,
    reward: RewardRow | None = None,
    customer_id: str | None = None,
    data: Mapping[str, Any] | None = None,
    occurrence: str = "",
) -> None:
    """Add an event to those of the transaction; they are handled when the decision is made."""
    tx.events.append(
        ActivityEvent(event_type, context, reason, reward, customer_id, data or {}, occurrence)
    )


# As text, because a correlated subquery in RETURNING loses its table names in SQLAlchemy's SQLite dialect.
# The states are OPEN_RUN_STATES, written as in the partial index.
_HAS_LISTENERS: ColumnElement[bool] = literal_column(
    "EXISTS (SELECT 1 FROM journey_runs AS run WHERE run.advocate_id = activity.advocate_id"
    " AND run.state IN ('held', 'running', 'starting'))",
    Boolean,
).label("has_listeners")
_INSERT = activity.insert().returning(activity.c.id, _HAS_LISTENERS)


async def write(tx: Tx, events: Sequence[ActivityEvent]) -> list[LoggedEvent]:
    """Write the events in their order, in one statement."""
    if not events:
        return []
    inserted = (await tx.execute(_INSERT, [_row(event) for event in events])).all()
    # Ids are drawn in the order of the values; RETURNING promises no order of its own.
    in_order = sorted(inserted, key=lambda row: row.id)
    return [
        LoggedEvent(event, row.id, row.has_listeners)
        for event, row in zip(events, in_order, strict=True)
    ]


async def write_rows(tx: Tx, new: Iterable[dict[str, Any]]) -> None:
    """Write rows made by `activity_row`, to which no journey reacts."""
    await add(tx, activity, *new)


def activity_row(
    event_type: str,
    *,
    at: datetime,
    actor: str,
    campaign_id: str | None,
    advocate_id: str | None,
    code: str | None = None,
    referral_id: str | None = None,
    milestone_id: str | None = None,
    reward_id: str | None = None,
    customer_id: str | None = None,
    reason: Reason | None = None,
    data: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Build a row of the log."""
    return {
        "type": event_type,
        "at": at,
        "actor": actor,
        "campaign_id": campaign_id,
        "code": code,
        "advocate_id": advocate_id,
        "referral_id": referral_id,
        "milestone_id": milestone_id,
        "reward_id": reward_id,
        "customer_id": customer_id,
        "reason_code": reason.code if reason else None,
        "reason": reason.message if reason else None,
        "data": dict(data or {}) | _reason_details(reason),
    }


def _row(event: ActivityEvent) -> dict[str, Any]:
    context, reward = event.context, event.reward
    return activity_row(
        event.type,
        at=context.now,
        actor=context.actor,
        campaign_id=context.campaign.campaign,
        code=context.code,
        advocate_id=context.advocate.id,
        referral_id=context.referral_id,
        milestone_id=context.milestone.id if context.milestone else None,
        reward_id=reward.id if reward else None,
        customer_id=event.customer_id
        or (reward.customer_id if reward else None)
        or context.friend_id,
        reason=event.reason,
        data=event.data,
    )


def _reason_details(reason: Reason | None) -> dict[str, str]:
    details = {"rule": reason.rule, "diagnosis": reason.diagnosis} if reason else {}
    return {name: text for name, text in details.items() if text}
