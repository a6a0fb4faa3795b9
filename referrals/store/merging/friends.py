"""Referrals of the merged customers as friends: one stays in force in each campaign, and nobody refers themselves."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime

from sqlalchemy import select

from referrals.domain.reasons import Reason, RejectReason
from referrals.domain.states import (
    AWAITING_CONFIRMATION,
    CLOSED_WITHOUT_CONVERSION,
    COUNTS_TOWARD_TIERS,
    ReferralState,
    RewardState,
)
from referrals.store import lookups
from referrals.store.activity.context import ReferralContext
from referrals.store.db.columns import required
from referrals.store.db.sql import Tx, change, literal_in, rows_of, scalars
from referrals.store.merging.report import Merge
from referrals.store.referrals.releases import release_friend
from referrals.store.referrals.roll_backs import reject_referral, roll_back_referral
from referrals.store.rewards import granting
from referrals.store.rewards.reward_rows import close, rewards_of
from referrals.store.schema import ReferralRow, advocates, journey_runs, referrals
from referrals.store.schema.journeys import OPEN_RUN_STATES
from referrals.store.schema.referrals import FRIEND_REFERRED
from referrals.store.views import MergeConflict

SELF_REFERRAL = Reason(
    RejectReason.SELF_REFERRAL, "A merge of customers shows that the advocate is the friend."
)
ALREADY_REFERRED = Reason(
    RejectReason.ALREADY_REFERRED,
    "A merge of customers shows that the friend has already been referred in this campaign.",
)


async def merge_friends(tx: Tx, merge: Merge) -> None:
    """Give the merged customer's referrals to the survivor, whose advocates are united already."""
    own_advocates = await scalars(
        tx, select(advocates.c.id).where(advocates.c.customer_id == merge.survivor.id)
    )
    by_campaign: dict[str, list[ReferralRow]] = defaultdict(list)
    for row in await _referrals_in_force(tx, merge):
        by_campaign[row.campaign_id].append(row)
    for _, rows in sorted(by_campaign.items()):
        if len(rows) > 1:
            binding = [row for row in rows if not await release_friend(tx, row, merge.now)]
            await _keep_one(tx, merge, binding, own_advocates)
    await _move(tx, merge)
    for _, rows in sorted(by_campaign.items()):
        for row in rows:
            if row.advocate_id in own_advocates:
                await _close_self_referral(tx, merge, row)


async def _referrals_in_force(tx: Tx, merge: Merge) -> list[ReferralRow]:
    """Return the referrals that are in force, without those that were rolled back and leave the friend another try."""
    both = referrals.c.friend_id.in_([merge.survivor.id, merge.merged.id])
    statement = select(referrals).where(both, FRIEND_REFERRED).order_by(referrals.c.id)
    found = await rows_of(tx, ReferralRow, statement)
    return [row for row in found if not await release_friend(tx, row, merge.now)]


async def _keep_one(
    tx: Tx, merge: Merge, rows: list[ReferralRow], own_advocates: Iterable[str]
) -> None:
    """Keep one of the referrals in force. Another is rejected, or superseded if it was confirmed before."""

    def rank(row: ReferralRow) -> tuple[bool, int, datetime]:
        return (row.advocate_id in own_advocates, *_precedence(row))

    ranked = sorted(rows, key=rank)
    for other in ranked[1:]:
        surviving = ranked[0]
        if other.advocate_id in own_advocates:  # closed as a self-referral
            await change(tx, referrals, other.id, superseded_by=surviving.id)
            continue
        context = await _context(tx, merge, other)
        if other.state in AWAITING_CONFIRMATION | {ReferralState.SIGNED_UP}:
            effect = "rejected"
            await reject_referral(tx, context, other, ALREADY_REFERRED)
        else:
            effect = "superseded"
            await change(tx, referrals, other.id, superseded_by=surviving.id)
            await _void_pending(tx, context)
        merge.changed_referrals.append(other)
        message = f"Both were referred in {surviving.campaign_id}; {surviving.id} stays in force."
        conflict = MergeConflict(
            "two_referrals", effect, message, surviving.campaign_id, surviving.id, other.id
        )
        merge.conflicts.append(conflict)


def _precedence(row: ReferralRow) -> tuple[int, datetime]:
    """Order referrals by what has been decided about them: confirmed, rolled back, converted, signed up."""
    if row.state in COUNTS_TOWARD_TIERS:
        return 0, required(row.confirmed_at)
    if row.state == ReferralState.ROLLED_BACK:
        return 1, required(row.closed_at)
    if row.state in AWAITING_CONFIRMATION:
        return 2, required(row.converted_at)
    return 3, required(row.signed_up_at)


async def _void_pending(tx: Tx, context: ReferralContext) -> None:
    """Void what is not paid yet of a superseded referral; its advocate keeps what is."""
    for reward in await rewards_of(tx, context):
        if reward.state == RewardState.PENDING:
            await close(tx, context, reward, RewardState.VOIDED, ALREADY_REFERRED)
    await granting.complete_referral(tx, context)


async def _move(tx: Tx, merge: Merge) -> None:
    survivor_id, merged_id = merge.survivor.id, merge.merged.id
    of_merged = referrals.c.friend_id == merged_id
    referring = await scalars(tx, select(referrals.c.advocate_id).where(of_merged).distinct())
    moved = await tx.execute(referrals.update().where(of_merged).values(friend_id=survivor_id))
    merge.count("referrals", moved.rowcount)
    runs = journey_runs.update().where(
        journey_runs.c.advocate_id.in_(referring),
        literal_in(journey_runs.c.state, *OPEN_RUN_STATES),
        journey_runs.c.friend_id == merged_id,
    )
    merge.count("journey_runs", (await tx.execute(runs.values(friend_id=survivor_id))).rowcount)


async def _close_self_referral(tx: Tx, merge: Merge, row: ReferralRow) -> None:
    """Undo a referral of the survivor by the survivor, as far as there is something to undo."""
    if row.state in CLOSED_WITHOUT_CONVERSION | {ReferralState.ROLLED_BACK}:
        return
    context = await _context(tx, merge, row)
    if row.state in COUNTS_TOWARD_TIERS:
        effect = "rolled_back"
        await roll_back_referral(tx, context, row, SELF_REFERRAL)
    else:
        effect = "rejected"
        await reject_referral(tx, context, row, SELF_REFERRAL)
    merge.changed_referrals.append(row)
    message = f"One is the advocate who referred the other in {row.campaign_id}."
    merge.conflicts.append(
        MergeConflict("self_referral", effect, message, row.campaign_id, other=row.id)
    )


async def _context(tx: Tx, merge: Merge, row: ReferralRow) -> ReferralContext:
    """Return the context of a referral of the survivor, or of the merged customer before it moves."""
    advocate = await lookups.get_advocate(tx, row.advocate_id)
    context = await lookups.load_context(tx, row, advocate, merge.actor, merge.now)
    return replace(context, friend_id=merge.survivor.id)
