"""Messages on their way out: what each one says, to whom, and what became of it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import Row, and_, bindparam, select

from referrals.domain.campaign import Campaign
from referrals.domain.discounts import Discount
from referrals.domain.links import referral_link, unsubscribe_link
from referrals.domain.money import format_amount
from referrals.domain.reasons import Reason
from referrals.domain.rewards import Reward
from referrals.store.campaigns import versions
from referrals.store.codes import publications
from referrals.store.db.sql import Known, Tx, first, rows, split, whole
from referrals.store.messaging import message_log
from referrals.store.rewards.reward_rows import REWARDS_OF_REFERRAL
from referrals.store.schema import (
    advocates,
    campaign_versions,
    customers,
    messages,
    milestones,
    referrals,
    rewards,
)


@dataclass(frozen=True)
class Operator:
    """The recipient of a message that is no customer's."""

    name: str | None = None
    locale: str = "en"
    timezone: str | None = None


@dataclass(frozen=True)
class MessageSubject:
    """A message with what it is about, and for whom; an operator's has no recipient among the customers."""

    message: Row[Any]
    campaign: Campaign
    """In the version that the message is of."""
    advocate: Row[Any]
    owner: Row[Any]
    """The advocate as a customer."""
    recipient: Row[Any] | None
    referral: Row[Any] | None
    friend: Row[Any] | None
    milestone: Row[Any] | None


_recipient, _owner, _friend = (customers.alias(name) for name in ("recipient", "owner", "friend"))
_SUBJECT_TABLES = (
    messages,
    campaign_versions,
    advocates,
    _owner,
    _recipient,
    referrals,
    _friend,
    milestones,
)
SUBJECT_QUERY = (
    whole(*_SUBJECT_TABLES)
    .select_from(messages)
    .join(
        campaign_versions,
        and_(
            campaign_versions.c.campaign_id == messages.c.campaign_id,
            campaign_versions.c.version == messages.c.version,
        ),
    )
    .join(advocates, advocates.c.id == messages.c.advocate_id)
    .join(_owner, _owner.c.id == advocates.c.customer_id)
    .outerjoin(_recipient, _recipient.c.id == messages.c.customer_id)
    .outerjoin(referrals, referrals.c.id == messages.c.referral_id)
    .outerjoin(_friend, _friend.c.id == referrals.c.friend_id)
    .outerjoin(milestones, milestones.c.id == messages.c.milestone_id)
)
"""Its rows are for `topic_of`."""
_SUBJECT_BY_MESSAGE_ID = SUBJECT_QUERY.where(messages.c.id == bindparam("message_id"))


def parse_subject(row: Row[Any]) -> MessageSubject:
    message, version, *about = split(row, *_SUBJECT_TABLES)
    return MessageSubject(message, versions.parse(version.definition), *about)


@dataclass(frozen=True)
class Draft:
    """A message with the recipient and what its template may say (see `channels.context`)."""

    message: Row[Any]
    recipient: Row[Any] | Operator
    context: dict[str, Any]


async def load_draft(tx: Tx, message_id: str, public_url: str) -> Draft | None:
    """None where the message was withdrawn meanwhile."""
    row = await first(tx, _SUBJECT_BY_MESSAGE_ID, message_id=message_id)
    return await build_draft(Known(tx), parse_subject(row), public_url) if row else None


async def build_draft(known: Known, topic: MessageSubject, public_url: str) -> Draft:
    """What several messages tell of is read once, into `known`."""
    recipient = topic.recipient or Operator()
    return Draft(topic.message, recipient, await _context(known, topic, recipient, public_url))


async def mark_failed(tx: Tx, message: Row[Any], reason: Reason, now: datetime) -> None:
    """In sight, with the reason; nothing where the message's state is another one by now."""
    result = await tx.execute(
        messages.update()
        .where(messages.c.id == message.id, messages.c.state == message.state)
        .values(
            state="failed",
            completed_at=now,
            not_before=None,
            reason_code=reason.code,
            reason=reason.message,
        )
        .returning(messages.c.id)
    )
    if result.first():
        await message_log.write(tx, [message], "message_failed", now, reason=reason)


async def _context(
    known: Known, topic: MessageSubject, recipient: Row[Any] | Operator, public_url: str
) -> dict[str, Any]:
    message, campaign = topic.message, topic.campaign
    referral, milestone = topic.referral, topic.milestone
    reward = await _reward(known, message)
    offer = campaign.rewards
    each = next((tier.reward for tier in offer.tiers if tier.each), None)
    return {
        "campaign": {
            "id": campaign.campaign,
            "name": campaign.name,
            "url": campaign.landing_url,
        },
        "recipient": {"name": recipient.name},
        "advocate": await _advocate(known.tx, topic, public_url),
        "friend": {"name": topic.friend.name} if topic.friend and milestone is None else None,
        "reward": reward_variables(reward) if reward else None,
        "rewards": [
            reward_variables(row) for row in await _recipient_rewards(known, message, reward)
        ],
        "offer": {
            "friend": _offer_variables(offer.friend) if offer.friend else None,
            "advocate": _offer_variables(each) if each else None,
        },
        "due_at": _due_date(referral, recipient.timezone or campaign.timezone),
        "milestone": {"name": milestone.tier, "at": milestone.threshold} if milestone else None,
        **_reason(message, referral if milestone is None else None, reward),
        "unsubscribe": unsubscribe_link(public_url, message.unsubscribe_token)
        if message.unsubscribe_token
        else None,
    }


async def _advocate(tx: Tx, topic: MessageSubject, public_url: str) -> dict[str, Any]:
    of = topic.referral or await publications.code_of(tx, topic.advocate.id)
    code = of.code if of else ""
    return {
        "name": topic.owner.name,
        "code": code,
        "link": referral_link(public_url, code),
        "count": topic.advocate.confirmed_count,
    }


async def _reward(known: Known, message: Row[Any]) -> Row[Any] | None:
    if message.milestone_id and not message.reward_id:
        own = (rewards.c.milestone_id == message.milestone_id) & rewards.c.tier.is_not(None)
        return await first(known.tx, select(rewards).where(own))
    return await known.maybe(rewards, message.reward_id)


async def _recipient_rewards(
    known: Known, message: Row[Any], reward: Row[Any] | None
) -> list[Row[Any]]:
    found = [reward] if reward else await _rewards_of(known, message.referral_id)
    return [row for row in found if row.customer_id == message.customer_id]


async def _rewards_of(known: Known, referral_id: str | None) -> Sequence[Row[Any]]:
    if referral_id is None:
        return ()
    return await known.once(
        ("rewards", referral_id), lambda tx: rows(tx, REWARDS_OF_REFERRAL, referral_id=referral_id)
    )


def reward_variables(reward: Row[Any]) -> dict[str, Any]:
    """A reward in values; `channels.localising` puts them into words."""
    amount = format_amount(reward.amount, reward.currency) if reward.currency else reward.amount
    coupon = reward.type == "coupon"
    return {
        "id": reward.id,
        "type": reward.type,
        "amount": str(amount),
        "currency": reward.currency,
        "discount": _discount(reward.target["discount"]) if coupon else None,
        "coupon": reward.reference if coupon else None,
    }


def _offer_variables(reward: Reward) -> dict[str, Any]:
    return {
        "id": None,
        "type": reward.type,
        "amount": str(reward.amount),
        "currency": reward.currency,
        "discount": _discount(reward.ledger_terms["discount"]) if reward.discount else None,
        "coupon": None,
    }


def _discount(terms: dict[str, Any]) -> dict[str, Any]:
    discount = Discount.model_validate(terms)
    return {"kind": discount.kind, **discount.model_dump(exclude={"free_shipping"})}


def _due_date(referral: Row[Any] | None, timezone: str) -> date | None:
    if referral is None or referral.due_at is None or referral.confirmed_at is not None:
        return None
    due: datetime = referral.due_at.astimezone(ZoneInfo(timezone))
    return due.date()


def _reason(
    message: Row[Any], referral: Row[Any] | None, reward: Row[Any] | None
) -> dict[str, Any]:
    if message.event == "reward_failed" and reward is not None:
        return {"reason": reward.error, "reason_code": reward.error_code}
    if referral is None:
        return {"reason": None, "reason_code": None}
    return {"reason": referral.reason, "reason_code": referral.reason_code}
