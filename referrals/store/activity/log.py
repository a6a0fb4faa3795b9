"""The activity log, and what it sets off: each thing that happened is recorded here once, in the transaction that
made it so, together with what the campaign's journeys do about it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Row

from referrals.domain.campaign import Campaign
from referrals.domain.reasons import Reason
from referrals.store.db.sql import Tx, one
from referrals.store.journeys import reactions, steps
from referrals.store.journeys.steps import Entrant
from referrals.store.schema import activity


@dataclass(frozen=True)
class Scene:
    """Where something happens: the campaign, who takes part, who or what caused it, and when."""

    campaign: Campaign
    version: int
    advocate: Row[Any]
    actor: str
    now: datetime
    code: str | None = None
    referral_id: str | None = None
    friend_id: str | None = None
    milestone: Row[Any] | None = None

    @property
    def sender_id(self) -> str:
        """Whose workflow sends the messages: the friend's referral, or for all else the advocate's."""
        if self.friend_id:
            return friend_sender(self.campaign.campaign, self.friend_id)
        return str(self.advocate.id)


def friend_sender(campaign_id: str, friend_id: str) -> str:
    return f"{campaign_id}/{friend_id}"


_LOG = activity.insert().returning(activity.c.id, reactions.ANYBODY)


async def record(
    tx: Tx,
    scene: Scene,
    event: str,
    *,
    reason: Reason | None = None,
    reward: Row[Any] | None = None,
    customer_id: str | None = None,
    data: Mapping[str, Any] | None = None,
    occurrence: str = "",
) -> None:
    """Log `event`, tell the journeys that wait for it, and begin those that it starts.

    `occurrence` tells apart what can happen more than once to the same subject: a share, a reward.
    """
    row = _row(scene, event, reason, reward, customer_id, data)
    logged = await one(tx, _LOG, heard_of=scene.advocate.id, **row)
    told = _told(scene, event, reward, logged.id)
    if logged.anybody:
        await reactions.hear(tx, scene, event)
    for journey in scene.campaign.journeys:
        if journey.on == event:
            once = occurrence or (reward.id if reward else "")
            await steps.enter(tx, Entrant(scene, journey, told, reward, once))


async def record_each(tx: Tx, scene: Scene, event: str, rewards: Sequence[Row[Any]]) -> None:
    """The same of several rewards: at once, where it begins no journey."""
    if any(journey.on == event for journey in scene.campaign.journeys):
        for reward in rewards:
            await record(tx, scene, event, reward=reward)
    elif rewards:
        whose = {"heard_of": scene.advocate.id}
        logged = [_row(scene, event, None, reward, None, None) | whose for reward in rewards]
        if any(row.anybody for row in (await tx.execute(_LOG, logged)).all()):
            await reactions.hear(tx, scene, event)


def _row(
    scene: Scene,
    event: str,
    reason: Reason | None,
    reward: Row[Any] | None,
    customer_id: str | None,
    data: Mapping[str, Any] | None,
) -> dict[str, Any]:
    return {
        "type": event,
        "at": scene.now,
        "actor": scene.actor,
        "campaign_id": scene.campaign.campaign,
        "code": scene.code,
        "advocate_id": scene.advocate.id,
        "referral_id": scene.referral_id,
        "milestone_id": scene.milestone.id if scene.milestone else None,
        "reward_id": reward.id if reward else None,
        "customer_id": customer_id or (reward.customer_id if reward else None) or scene.friend_id,
        "reason_code": reason.code if reason else None,
        "reason": reason.message if reason else None,
        "data": dict(data or {}) | _about(reason),
    }


def _about(reason: Reason | None) -> dict[str, str]:
    told = {"rule": reason.rule, "diagnosis": reason.diagnosis} if reason else {}
    return {name: text for name, text in told.items() if text}


def _told(scene: Scene, event: str, reward: Row[Any] | None, number: int) -> dict[str, Any]:
    """The event as workflows of others are told of it: a CloudEvent of our ids, with no contact details."""
    about = {
        "campaign": scene.campaign.campaign,
        "advocate": scene.advocate.id,
        "friend": scene.friend_id,
        "referral": scene.referral_id,
        "milestone": scene.milestone.id if scene.milestone else None,
        "reward": reward.id if reward else None,
    }
    return {
        "specversion": "1.0",
        "id": str(number),
        "source": "referrals",
        "type": event,
        "time": scene.now.isoformat(),
        "data": {name: row_id for name, row_id in about.items() if row_id},
    }
