"""Effects of an edit of a campaign on referrals, journeys and milestones under way."""

from dataclasses import dataclass

from sqlalchemy import select

from referrals.domain.campaign import Campaign
from referrals.domain.field_docs import Described
from referrals.domain.rewards import Tier
from referrals.domain.states import AWAITING_CONFIRMATION, ReferralState
from referrals.store.campaigns.counting import count_advocates, count_rows, counted, has_reached
from referrals.store.db.sql import Tx, literal_in
from referrals.store.schema import (
    CampaignRow,
    advocates,
    coupons,
    journey_runs,
    referrals,
)
from referrals.store.schema.journeys import OPEN_RUN_STATES


@dataclass(frozen=True)
class EditEffect(Described):
    """A consequence of an edit. `count` is the number of advocates, referrals, journeys or coupons concerned."""

    code: str
    """Code of the consequence."""
    count: int
    """Number of rows concerned."""
    message: str
    """Text for people."""


async def find_effects(
    tx: Tx, current: CampaignRow, old: Campaign, new: Campaign
) -> list[EditEffect]:
    """Find what the edit of `current` means for what is under way; nothing that concerns nobody."""
    before = {tier.identity: tier for tier in old.rewards.tiers}
    found = [*await _referrals(tx, current), *await _journeys(tx, current)]
    for tier in new.rewards.tiers:
        if tier.at:
            found += await _milestone(tx, current.id, before.get(tier.identity), tier)
    present = {tier.identity for tier in new.rewards.tiers}
    for tier in old.rewards.tiers:
        if tier.at and tier.identity not in present:
            found += await _removed_milestone(tx, current.id, tier)
    found += await find_empty_pools(tx, new, old)
    if current.state == "archived":
        found.append(EditEffect("runs_again", 1, "The archived campaign runs again."))
    return found


async def _referrals(tx: Tx, current: CampaignRow) -> list[EditEffect]:
    under_way = [ReferralState.SIGNED_UP, *AWAITING_CONFIRMATION]
    statement = select(referrals.c.id).where(
        referrals.c.campaign_id == current.id, referrals.c.state.in_(under_way)
    )
    if not (count := await count_rows(tx, statement)):
        return []
    message = f"{counted(count, 'referral')} under way: each continues under the version that it started with."
    return [EditEffect("referrals_under_way", count, message)]


async def _journeys(tx: Tx, current: CampaignRow) -> list[EditEffect]:
    statement = select(journey_runs.c.id).where(
        journey_runs.c.campaign_id == current.id,
        literal_in(journey_runs.c.state, *OPEN_RUN_STATES),
    )
    if not (count := await count_rows(tx, statement)):
        return []
    message = f"{counted(count, 'journey')} under way: each continues under the version that it started with."
    return [EditEffect("journeys_under_way", count, message)]


async def _milestone(tx: Tx, campaign_id: str, before: Tier | None, tier: Tier) -> list[EditEffect]:
    """Return the advocates who reach the tier by the edit, and those who have reached it under other terms."""
    if before and (before.at, before.reward) == (tier.at, tier.reward):
        return []
    at, reached = tier.at or 0, has_reached(tier.identity)
    due = await count_advocates(tx, campaign_id, advocates.c.confirmed_count >= at, ~reached)
    paid = await count_advocates(tx, campaign_id, reached)
    found = []
    if due:
        message = f"{counted(due, 'advocate')} with {at} or more conversions: the next one earns {tier.name}."
        found.append(EditEffect("milestone_due", due, message))
    if paid:
        message = f"{counted(paid, 'advocate')} who reached {tier.name} before: the reward stays as it was."
        found.append(EditEffect("milestone_paid", paid, message))
    return found


async def _removed_milestone(tx: Tx, campaign_id: str, tier: Tier) -> list[EditEffect]:
    count = await count_advocates(tx, campaign_id, has_reached(tier.identity))
    if not count:
        return []
    message = f"{counted(count, 'advocate')} who reached {tier.name}: its reward stays while the count does."
    return [EditEffect("milestone_removed", count, message)]


async def find_empty_pools(
    tx: Tx, campaign: Campaign, before: Campaign | None = None
) -> list[EditEffect]:
    """Find the coupon pools that the campaign names, and did not name `before`, and that are empty."""
    found = []
    for pool in sorted(_pools(campaign) - (_pools(before) if before else set())):
        available = select(coupons.c.code).where(
            coupons.c.campaign_id == campaign.campaign,
            coupons.c.pool == pool,
            coupons.c.state == "available",
        )
        if not await count_rows(tx, available.limit(1)):
            message = (
                f"The coupon pool {pool} is empty: its rewards wait until coupons are imported."
            )
            found.append(EditEffect("empty_pool", 0, message))
    return found


def _pools(campaign: Campaign) -> set[str]:
    """Return the names of the coupon pools that the campaign's rewards draw from."""
    return {reward.pool for _, reward in campaign.all_rewards() if reward.pool}
