"""Drafts: pending messages with their recipient and the variables of their template."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import Row, and_, bindparam, select

from referrals.domain.campaign import Campaign
from referrals.domain.discounts import Discount
from referrals.domain.links import referral_link, unsubscribe_link
from referrals.domain.reasons import Reason
from referrals.domain.rewards import Reward
from referrals.domain.states import RewardState
from referrals.domain.stored import read_stored
from referrals.domain.time_zones import find_zone
from referrals.store.campaigns import versions
from referrals.store.codes import publications
from referrals.store.db.columns import required
from referrals.store.db.sql import (
    JoinedRow,
    RowCache,
    Tx,
    first,
    first_of,
    rows_of,
    select_joined,
)
from referrals.store.messaging import message_log
from referrals.store.rewards.reward_rows import REWARDS_OF_REFERRAL, amount_text
from referrals.store.schema import (
    AdvocateRow,
    CustomerRow,
    MessageRow,
    MilestoneRow,
    ReferralRow,
    RewardRow,
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
    """Recipient of a message that goes to the operator."""

    name: str | None = None
    locale: str = "en"
    timezone: str | None = None


@dataclass(frozen=True)
class MessageSubject:
    """A message with everything it is about. A message to the operator has no `recipient`."""

    message: MessageRow
    campaign: Campaign
    """In the version that created the message."""
    advocate: AdvocateRow
    owner: CustomerRow
    """Customer who is the advocate."""
    recipient: CustomerRow | None
    referral: ReferralRow | None
    friend: CustomerRow | None
    milestone: MilestoneRow | None


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
    select_joined(*_SUBJECT_TABLES)
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
_SUBJECT_BY_MESSAGE_ID = SUBJECT_QUERY.where(messages.c.id == bindparam("message_id"))


def parse_subject(row: Row[*tuple[Any, ...]]) -> MessageSubject:
    """Parse a row of SUBJECT_QUERY."""
    joined = JoinedRow(row)
    return MessageSubject(
        message=joined.take(messages),
        campaign=versions.parse_definition(joined.take(campaign_versions).definition),
        advocate=joined.take(advocates),
        owner=joined.take(_owner),
        recipient=joined.take_optional(_recipient),
        referral=joined.take_optional(referrals),
        friend=joined.take_optional(_friend),
        milestone=joined.take_optional(milestones),
    )


@dataclass(frozen=True)
class Draft:
    """A message with its recipient and the variables of its template (see `channels.template_context`)."""

    message: MessageRow
    recipient: CustomerRow | Operator
    context: dict[str, Any]


async def load_draft(tx: Tx, message_id: str, public_url: str) -> Draft | None:
    """Return None if the message has been withdrawn."""
    row = await first(tx, _SUBJECT_BY_MESSAGE_ID, message_id=message_id)
    return await build_draft(RowCache(tx), parse_subject(row), public_url) if row else None


async def build_draft(cache: RowCache, subject: MessageSubject, public_url: str) -> Draft:
    """Build one draft; `cache` holds rows that several drafts of one transaction need."""
    recipient = subject.recipient or Operator()
    context = await _template_context(cache, subject, recipient, public_url)
    return Draft(subject.message, recipient, context)


async def mark_failed(tx: Tx, message: MessageRow, reason: Reason, now: datetime) -> None:
    """Mark the message as failed, for an operator to see, unless its state has changed meanwhile."""
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


async def _template_context(
    cache: RowCache, subject: MessageSubject, recipient: CustomerRow | Operator, public_url: str
) -> dict[str, Any]:
    message, milestone = subject.message, subject.milestone
    # A message about a milestone is about the advocate only, even if it names the referral that reached it.
    referral = None if milestone else subject.referral
    reward = await _reward(cache, message)
    own_rewards = await _recipient_rewards(cache, message, reward)
    zone = find_zone(recipient.timezone, subject.campaign.timezone)
    return {
        **_campaign_variables(subject.campaign),
        "recipient": {"name": recipient.name},
        "advocate": await _advocate_variables(cache.tx, subject, public_url),
        "friend": {"name": subject.friend.name} if subject.friend and referral else None,
        "reward": reward_variables(reward) if reward else None,
        "rewards": [reward_variables(row) for row in own_rewards],
        "due_at": _due_date(subject, own_rewards, zone),
        "milestone": {"name": milestone.name, "at": milestone.threshold} if milestone else None,
        **_reason_variables(message, referral, reward),
        "unsubscribe": _unsubscribe_url(message, public_url),
    }


def _campaign_variables(campaign: Campaign) -> dict[str, Any]:
    friend = campaign.rewards.friend
    advocate = next((tier.reward for tier in campaign.rewards.tiers if tier.each), None)
    return {
        "campaign": {
            "id": campaign.campaign,
            "name": campaign.name,
            "url": campaign.landing_url,
        },
        "offer": {
            "friend": offer_variables(friend) if friend else None,
            "advocate": offer_variables(advocate) if advocate else None,
        },
    }


async def _advocate_variables(tx: Tx, subject: MessageSubject, public_url: str) -> dict[str, Any]:
    source = subject.referral or await publications.find_code_of_advocate(tx, subject.advocate.id)
    code = source.code if source else ""
    return {
        "name": subject.owner.name,
        "code": code,
        "link": referral_link(public_url, code),
        "count": subject.advocate.confirmed_count,
    }


def _unsubscribe_url(message: MessageRow, public_url: str) -> str | None:
    token = message.unsubscribe_token
    return unsubscribe_link(public_url, token) if token else None


async def _reward(cache: RowCache, message: MessageRow) -> RewardRow | None:
    """Return the reward that the message is about; for a milestone, the milestone's own reward."""
    if message.milestone_id and not message.reward_id:
        own = (rewards.c.milestone_id == message.milestone_id) & rewards.c.tier.is_not(None)
        return await first_of(cache.tx, RewardRow, select(rewards).where(own))
    return await cache.find(rewards, message.reward_id)


async def _recipient_rewards(
    cache: RowCache, message: MessageRow, reward: RewardRow | None
) -> list[RewardRow]:
    found = [reward] if reward else await _rewards_of_referral(cache, message.referral_id)
    return [row for row in found if row.customer_id == message.customer_id]


async def _rewards_of_referral(cache: RowCache, referral_id: str | None) -> Sequence[RewardRow]:
    if referral_id is None:
        return ()
    return await cache.get(
        ("rewards", referral_id),
        lambda tx: rows_of(tx, RewardRow, REWARDS_OF_REFERRAL, referral_id=referral_id),
    )


def reward_variables(reward: RewardRow) -> dict[str, Any]:
    """Return a reward as plain values; `channels.localisation` adds its texts."""
    coupon = reward.type == "coupon"
    return {
        "id": reward.id,
        "type": reward.type,
        "amount": amount_text(reward.amount, reward.currency),
        "repaid": amount_text(reward.repaid, reward.currency) if reward.repaid else None,
        "currency": reward.currency,
        "discount": _discount_variables(required(reward.target)["discount"]) if coupon else None,
        "coupon": reward.reference if coupon else None,
    }


def offer_variables(reward: Reward) -> dict[str, Any]:
    """Return a reward of the campaign as plain values, in the form of `reward_variables`."""
    return {
        "id": None,
        "type": reward.type,
        "amount": str(reward.amount),
        "repaid": None,
        "currency": reward.currency,
        "discount": _discount_variables(reward.ledger_terms["discount"])
        if reward.discount
        else None,
        "coupon": None,
    }


def _discount_variables(terms: dict[str, Any]) -> dict[str, Any]:
    discount = read_stored(Discount, terms)
    return {"kind": discount.kind, **discount.model_dump(exclude={"free_shipping"})}


def _due_date(
    subject: MessageSubject, own_rewards: Sequence[RewardRow], zone: ZoneInfo
) -> date | None:
    """Return the day on which the recipient's next reward is due, else the end of the hold; None if nothing waits."""
    pending = (row.due_at for row in own_rewards if row.state == RewardState.PENDING)
    asked_at, referral = subject.message.created_at, subject.referral
    due_at = min((due_at for due_at in pending if due_at and due_at > asked_at), default=None)
    if due_at is None and referral and referral.confirmed_at is None:
        due_at = referral.due_at
    return due_at.astimezone(zone).date() if due_at else None


def _reason_variables(
    message: MessageRow, referral: ReferralRow | None, reward: RewardRow | None
) -> dict[str, Any]:
    if message.event == "reward_failed" and reward is not None:
        return {"reason": reward.error, "reason_code": reward.error_code}
    if referral is None:
        return {"reason": None, "reason_code": None}
    return {"reason": referral.reason, "reason_code": referral.reason_code}
