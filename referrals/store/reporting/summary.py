"""Numbers of a campaign."""

from collections import defaultdict
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Table, func, select

from referrals.domain.money import format_amount, parse_amount
from referrals.domain.states import COUNTS_TOWARD_LIMITS, ReferralState
from referrals.store import refusals, views
from referrals.store.campaigns.versions import require_campaign
from referrals.store.codes import omitted_clicks
from referrals.store.db.sql import Tx, literal_in, one, rows
from referrals.store.referrals import orders
from referrals.store.reporting import rule_rejections
from referrals.store.reporting.reward_lists import AWAITING_APPROVAL
from referrals.store.rewards.reward_rows import amount_text
from referrals.store.schema import (
    advocates,
    clicks,
    codes,
    customers,
    messages,
    referrals,
    rewards,
    shares,
    tracked_events,
    webhook_deliveries,
    workflow_starts,
)

TOP_ADVOCATES = 5


async def summarise(tx: Tx, campaign_id: str, now: datetime) -> views.CampaignSummary:
    """Summarise the campaign's numbers as of now. Raises UnknownCampaignError."""
    campaign = await require_campaign(tx, campaign_id)
    by_state = await _count_by(tx, referrals, referrals.c.state, campaign_id)
    friends = await _count_friends(tx, campaign_id)
    by_channel = await _count_by(tx, clicks, clicks.c.channel, campaign_id)
    converted = sum(by_state.get(state, 0) for state in COUNTS_TOWARD_LIMITS)
    return views.CampaignSummary(
        campaign=campaign.id,
        name=campaign.name,
        state=campaign.state,
        version=campaign.version,
        advocates=await _count(tx, advocates, campaign_id),
        codes=await _count(tx, codes, campaign_id),
        shares=await _count_shares(tx, campaign_id),
        clicks=sum(by_channel.values()),
        clicks_by_channel=by_channel,
        clicks_omitted=await omitted_clicks.count_by_reason(tx, campaign_id),
        sign_ups=await _count(tx, referrals, campaign_id, referrals.c.signed_up_at.is_not(None)),
        conversions=by_state,
        conversion_rate=round(converted / friends, 4) if friends else None,
        revenue=await _sum_revenue(tx, campaign_id),
        rewards=await _sum_rewards(tx, campaign_id),
        top_advocates=await _find_top_advocates(tx, campaign_id),
        messages=await _count_by(tx, messages, messages.c.state, campaign_id),
        refused_requests=await refusals.count_recent(tx, now),
        unknown_orders=await orders.count_unknown(tx),
        rules=await rule_rejections.list_rejections(tx, campaign_id),
        attention=await _count_attention(tx, campaign_id, now),
    )


async def _count_attention(tx: Tx, campaign_id: str, now: datetime) -> views.Attention:
    async def count_failed(table: Table[Any]) -> int:
        return await _count(tx, table, campaign_id, literal_in(table.c.state, "failed"))

    in_review = literal_in(referrals.c.state, ReferralState.IN_REVIEW)
    to_approve = AWAITING_APPROVAL & (rewards.c.due_at <= now)
    return views.Attention(
        referrals_to_review=await _count(tx, referrals, campaign_id, in_review),
        rewards_to_approve=await _count(tx, rewards, campaign_id, to_approve),
        rewards_failed=await count_failed(rewards),
        tracked_events_failed=await count_failed(tracked_events),
        deliveries_failed=await count_failed(webhook_deliveries),
        workflow_starts_failed=await count_failed(workflow_starts),
    )


async def _count(tx: Tx, table: Table, campaign_id: str, *which: ColumnElement[bool]) -> int:
    statement = select(func.count()).select_from(table)
    return int((await one(tx, statement.where(table.c.campaign_id == campaign_id, *which)))[0])


async def _count_friends(tx: Tx, campaign_id: str) -> int:
    """Count the friends who signed up or converted, each once."""
    statement = select(func.count(referrals.c.friend_id.distinct())).where(
        referrals.c.campaign_id == campaign_id,
        referrals.c.signed_up_at.is_not(None) | referrals.c.converted_at.is_not(None),
    )
    return int((await one(tx, statement))[0])


async def _count_by(
    tx: Tx, table: Table, column: ColumnElement[Any], campaign_id: str
) -> dict[str, int]:
    statement = select(column, func.count()).where(table.c.campaign_id == campaign_id)
    counted = await rows(tx, statement.group_by(column).order_by(column))
    return {value: int(count) for value, count in counted}


async def _count_shares(tx: Tx, campaign_id: str) -> dict[str, int]:
    statement = (
        select(shares.c.channel, func.count())
        .join(advocates, advocates.c.id == shares.c.advocate_id)
        .where(advocates.c.campaign_id == campaign_id)
        .group_by(shares.c.channel)
        .order_by(shares.c.channel)
    )
    return dict(await rows(tx, statement))


async def _sum_revenue(tx: Tx, campaign_id: str) -> list[views.Revenue]:
    """Sum the orders by currency, in Python because SQLite has no decimals. SQL groups equal orders."""
    currency = referrals.c.order_snapshot["currency"].as_string()
    amount = referrals.c.order_snapshot["amount"].as_string()
    statement = (
        select(currency, amount, func.count())
        .where(
            referrals.c.campaign_id == campaign_id,
            referrals.c.state.in_(COUNTS_TOWARD_LIMITS),
            referrals.c.order_id.is_not(None),
        )
        .group_by(currency, amount)
    )
    minor: dict[str, int] = defaultdict(int)
    for code, text, count in await rows(tx, statement):
        minor[code] += parse_amount(text, code) * count
    return [views.Revenue(code, format_amount(minor[code], code)) for code in sorted(minor)]


async def _sum_rewards(tx: Tx, campaign_id: str) -> list[views.RewardSum]:
    kind = (rewards.c.state, rewards.c.type, rewards.c.currency)
    statement = (
        select(*kind, func.count(), func.sum(rewards.c.amount))
        .where(rewards.c.campaign_id == campaign_id)
        .group_by(*kind)
        .order_by(*kind)
    )
    return [
        views.RewardSum(
            state=state,
            type=type_,
            currency=currency,
            count=count,
            amount=amount_text(int(amount), currency),
        )
        for state, type_, currency, count, amount in await rows(tx, statement)
    ]


async def _find_top_advocates(tx: Tx, campaign_id: str) -> list[views.TopAdvocate]:
    statement = (
        select(customers.c.external_id, advocates.c.confirmed_count)
        .join(customers, customers.c.id == advocates.c.customer_id)
        .where(advocates.c.campaign_id == campaign_id, advocates.c.confirmed_count > 0)
        .order_by(advocates.c.confirmed_count.desc(), advocates.c.id)
        .limit(TOP_ADVOCATES)
    )
    return [views.TopAdvocate(customer, count) for customer, count in await rows(tx, statement)]
