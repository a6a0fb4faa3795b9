"""The activity log, and what it sets off: each thing that happened is recorded here once, in the transaction that
made it so, together with the messages that the campaign's journeys send for it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Row

from referrals.domain.campaign import Campaign, Journey
from referrals.domain.decisions import Reason
from referrals.domain.rules import RuleError
from referrals.store import conditions
from referrals.store.ids import new_id
from referrals.store.schema import activity, messages
from referrals.store.sql import Tx, insert


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
    """Log `event` and put the messages of its journeys on their way.

    `occurrence` tells apart what can happen more than once to the same subject: a share, a reward.
    """
    await tx.execute(
        activity.insert().values(
            type=event,
            at=scene.now,
            actor=scene.actor,
            campaign_id=scene.campaign.campaign,
            code=scene.code,
            advocate_id=scene.advocate.id,
            referral_id=scene.referral_id,
            milestone_id=scene.milestone.id if scene.milestone else None,
            reward_id=reward.id if reward else None,
            customer_id=customer_id or (reward.customer_id if reward else None) or scene.friend_id,
            reason_code=reason.code if reason else None,
            reason=reason.message if reason else None,
            data=dict(data or {}) | _about(reason),
        )
    )
    for journey in scene.campaign.journeys:
        if journey.on == event and await _applies(tx, journey, scene, reward):
            await _enqueue(tx, journey, scene, reward, occurrence or (reward.id if reward else ""))


def _about(reason: Reason | None) -> dict[str, str]:
    told = {"rule": reason.rule, "diagnosis": reason.diagnosis} if reason else {}
    return {name: text for name, text in told.items() if text}


async def _applies(tx: Tx, journey: Journey, scene: Scene, reward: Row[Any] | None) -> bool:
    if journey.condition is None:
        return True
    context = await conditions.of_journey(tx, scene, reward)
    try:
        return journey.condition.holds(context)
    except RuleError:
        # A journey that cannot tell whether it applies does not start; its referral goes on.
        return False


async def _enqueue(
    tx: Tx, journey: Journey, scene: Scene, reward: Row[Any] | None, occurrence: str
) -> None:
    recipients = {"advocate": scene.advocate.customer_id, "friend": scene.friend_id}
    for number, step in enumerate(journey.steps):
        recipient = recipients[step.send.to]
        if recipient is None or (reward and reward.customer_id != recipient):
            continue  # a reward is its owner's news
        subject = scene.milestone.id if scene.milestone else scene.referral_id or scene.advocate.id
        key = f"{scene.campaign.campaign}/{journey.name}/{number}/{subject}/{journey.on}"
        await tx.execute(
            insert(tx, messages)
            .values(
                id=new_id("msg"),
                key=f"{key}/{occurrence}" if occurrence else key,
                campaign_id=scene.campaign.campaign,
                version=scene.version,
                journey=journey.name,
                event=journey.on,
                template=step.send.template,
                channels=list(step.send.channels),
                customer_id=recipient,
                advocate_id=scene.advocate.id,
                referral_id=scene.referral_id,
                milestone_id=scene.milestone.id if scene.milestone else None,
                reward_id=reward.id if reward else None,
                sender_id=scene.sender_id,
                state="pending",
                created_at=scene.now,
            )
            .on_conflict_do_nothing(index_elements=["key"])
        )
