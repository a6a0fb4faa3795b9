"""Details of an advocate and of a referral, and the list of advocates with their numbers."""

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime
from functools import partial
from typing import Any

from sqlalchemy import Select, Table, func, select

from referrals.domain import tiers
from referrals.domain.campaign import Campaign
from referrals.domain.links import referral_link, share_links
from referrals.domain.qualification import hold_end, next_rewardable_at
from referrals.domain.states import COUNTS_TOWARD_LIMITS, COUNTS_TOWARD_TIERS, ReferralState
from referrals.errors import UnknownAdvocateError, UnknownReferralError
from referrals.store import views
from referrals.store.campaigns import versions
from referrals.store.campaigns.versions import require_campaign
from referrals.store.codes.publications import FIRST_CODE
from referrals.store.customers import survivors
from referrals.store.db.pages import Cursor, newest_first
from referrals.store.db.sql import Tx, find, first_of, one, rows, rows_of
from referrals.store.reporting.lists import (
    ListedActivity,
    ListedReferral,
    referral_fields,
    select_activity,
    select_referrals,
    to_activity_view,
)
from referrals.store.reporting.reward_lists import ListedReward, select_rewards, to_reward_view
from referrals.store.schema import (
    AdvocateRow,
    MilestoneRow,
    ReferralRow,
    activity,
    advocates,
    clicks,
    codes,
    customers,
    milestones,
    referrals,
    rewards,
    shares,
)
from referrals.store.views import Page

LATEST_REWARDS = 50


async def list_advocates(
    tx: Tx, campaign_id: str, cursor: Cursor, public_url: str
) -> Page[views.Advocate]:
    await require_campaign(tx, campaign_id)
    statement = _select_advocates().where(
        advocates.c.campaign_id == campaign_id, advocates.c.merged_into.is_(None)
    )
    page = await newest_first(tx, statement, (advocates.c.id,), cursor, _unchanged)
    counts = await _load_counts(tx, [row.id for row in page.data])
    return Page(
        [_to_advocate_view(row, counts[row.id], public_url) for row in page.data], page.next
    )


async def get_advocate(
    tx: Tx, campaign_id: str, customer: str, now: datetime, public_url: str
) -> views.AdvocateDetails:
    """Return the advocate. Raises UnknownAdvocateError."""
    found = await versions.find_in_force(tx, (await require_campaign(tx, campaign_id)).id)
    assert found is not None
    statement = _select_advocates().where(
        advocates.c.campaign_id == campaign_id, customers.c.id == survivors.id_of(customer)
    )
    row = await first_of(tx, _ListedAdvocate, statement)
    if row is None:
        raise UnknownAdvocateError(customer, campaign_id)
    counts = await _load_counts(tx, [row.id])
    campaign = found.campaign
    summary = _to_advocate_view(row, counts[row.id], public_url)
    return views.AdvocateDetails(
        customer=summary.customer,
        code=summary.code,
        link=summary.link,
        counts=summary.counts,
        created_at=summary.created_at,
        campaign=campaign_id,
        share=share_links(public_url, row.code, campaign.name) if row.code else {},
        next_tier=_next_tier(campaign, row.confirmed_count),
        cooldown_until=await _cooldown_until(tx, campaign, row.id, now),
        milestones=await _milestones(tx, row.id),
        rewards=await _latest_rewards(tx, row, now),
    )


async def get_referral(tx: Tx, referral_id: str, now: datetime) -> views.ReferralDetails:
    """Return the referral. Raises UnknownReferralError."""
    statement = select_referrals().where(referrals.c.id == referral_id)
    row = await first_of(tx, ListedReferral, statement)
    if row is None:
        raise UnknownReferralError(referral_id)
    given = select_rewards().where(rewards.c.referral_id == referral_id).order_by(rewards.c.origin)
    log = select_activity().where(activity.c.referral_id == referral_id).order_by(activity.c.id)
    return views.ReferralDetails(
        **referral_fields(row),
        version=row.version,
        attribution=await _attribution(tx, row),
        rewards=[
            to_reward_view(reward, now=now) for reward in await rows_of(tx, ListedReward, given)
        ],
        timeline=[to_activity_view(entry) for entry in await rows_of(tx, ListedActivity, log)],
    )


async def _attribution(tx: Tx, referral: ReferralRow) -> views.Attribution:
    click = await find(tx, clicks, id=referral.click_id)
    if click is None:
        return views.Attribution("code")
    return views.Attribution("click", click.id, click.at, click.channel)


class _ListedAdvocate(AdvocateRow):
    customer: str
    code: str | None


def _unchanged(row: _ListedAdvocate) -> _ListedAdvocate:
    return row


def _select_advocates() -> Select[*tuple[Any, ...]]:
    code = (
        select(codes.c.code)
        .where(codes.c.advocate_id == advocates.c.id)
        .order_by(*FIRST_CODE)
        .limit(1)
        .scalar_subquery()
    )
    return select(advocates, customers.c.external_id.label("customer"), code.label("code")).join(
        customers, customers.c.id == advocates.c.customer_id
    )


def _to_advocate_view(
    row: _ListedAdvocate, counts: views.AdvocateCounts, public_url: str
) -> views.Advocate:
    return views.Advocate(
        customer=row.customer,
        code=row.code,
        link=referral_link(public_url, row.code) if row.code else None,
        counts=counts,
        created_at=row.created_at,
    )


async def _load_counts(tx: Tx, advocate_ids: Sequence[str]) -> dict[str, views.AdvocateCounts]:
    by_state: dict[str, dict[str, int]] = defaultdict(dict)
    signed_up: dict[str, int] = defaultdict(int)
    statement = (
        select(
            referrals.c.advocate_id,
            referrals.c.state,
            func.count(),
            func.count(referrals.c.signed_up_at),
        )
        .where(referrals.c.advocate_id.in_(advocate_ids))
        .group_by(referrals.c.advocate_id, referrals.c.state)
    )
    for advocate_id, state, count, signed_up_count in await rows(tx, statement):
        by_state[advocate_id][state] = count
        signed_up[advocate_id] += signed_up_count
    shared = await _count_by_channel(tx, shares, advocate_ids)
    clicked = await _count_by_channel(tx, clicks, advocate_ids)
    return {
        advocate_id: views.AdvocateCounts(
            shares=shared[advocate_id],
            clicks=clicked[advocate_id],
            signed_up=signed_up[advocate_id],
            converted=sum(by_state[advocate_id].get(state, 0) for state in COUNTS_TOWARD_LIMITS),
            confirmed=sum(by_state[advocate_id].get(state, 0) for state in COUNTS_TOWARD_TIERS),
            rewarded=by_state[advocate_id].get(ReferralState.REWARDED, 0),
        )
        for advocate_id in advocate_ids
    }


async def _count_by_channel(
    tx: Tx, table: Table, advocate_ids: Sequence[str]
) -> dict[str, dict[str, int]]:
    counted = (
        select(table.c.advocate_id, table.c.channel, func.count())
        .where(table.c.advocate_id.in_(advocate_ids))
        .group_by(table.c.advocate_id, table.c.channel)
        .order_by(table.c.channel)
    )
    found: dict[str, dict[str, int]] = defaultdict(dict)
    for advocate_id, channel, count in await rows(tx, counted):
        found[advocate_id][channel] = count
    return found


def _next_tier(campaign: Campaign, confirmed: int) -> views.NextTier | None:
    tier = tiers.next_milestone(campaign.rewards.tiers, confirmed)
    if tier is None or tier.at is None:
        return None
    return views.NextTier(tier.name, tier.at, tier.at - confirmed)


async def _cooldown_until(
    tx: Tx, campaign: Campaign, advocate_id: str, now: datetime
) -> datetime | None:
    """Return the time from which a conversion is not delayed by the cooldown, or None if none is now."""
    if campaign.limits.cooldown is None:
        return None
    last = select(func.max(referrals.c.rewardable_at)).where(
        referrals.c.advocate_id == advocate_id, referrals.c.state.in_(COUNTS_TOWARD_LIMITS)
    )
    last_at = (await one(tx, last))[0]
    delay = next_rewardable_at(campaign, last_at, now) - hold_end(campaign, now)
    return now + delay if delay else None


async def _milestones(tx: Tx, advocate_id: str) -> list[views.Milestone]:
    statement = select(milestones).where(milestones.c.advocate_id == advocate_id)
    return [
        views.Milestone(
            id=row.id,
            name=row.name,
            at=row.threshold,
            occurrence=row.occurrence,
            state=row.state,
            reached_at=row.reached_at,
            lost_at=row.lost_at,
        )
        for row in await rows_of(tx, MilestoneRow, statement.order_by(milestones.c.id))
    ]


async def _latest_rewards(tx: Tx, advocate: AdvocateRow, now: datetime) -> list[views.Reward]:
    statement = select_rewards().where(
        rewards.c.campaign_id == advocate.campaign_id,
        rewards.c.customer_id == advocate.customer_id,
        rewards.c.side == "advocate",
    )
    order = (rewards.c.created_at, rewards.c.id)
    view = partial(to_reward_view, now=now)
    page = await newest_first(tx, statement, order, Cursor(LATEST_REWARDS), view)
    return page.data
