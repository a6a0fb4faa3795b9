"""Advocates of a merged customer: they become the survivor's, or are united with the survivor's own in the same campaign."""

from typing import Any

from sqlalchemy import Table, Update, func, select, true

from referrals.store.campaigns import versions
from referrals.store.db.sql import Tx, change, find, first_of, insert, literal_in, rows, rows_of
from referrals.store.merging.report import Merge
from referrals.store.schema import (
    AdvocateRow,
    CodeRow,
    MilestoneRow,
    advocates,
    clicks,
    codes,
    customers,
    journey_entries,
    journey_runs,
    messages,
    milestones,
    referrals,
    shares,
    tracked_events,
    workflow_starts,
)
from referrals.store.schema.journeys import OPEN_RUN_STATES
from referrals.store.views import MergeConflict


async def merge_advocates(tx: Tx, merge: Merge) -> None:
    """Give the merged customer's part in each campaign to the survivor."""
    statement = select(advocates).where(
        advocates.c.customer_id == merge.merged.id, advocates.c.merged_into.is_(None)
    )
    for merged in await rows_of(tx, AdvocateRow, statement.order_by(advocates.c.id)):
        merge.count("advocates", 1)
        campaign_id, survivor_id = merged.campaign_id, merge.survivor.id
        surviving = await find(tx, advocates, campaign_id=campaign_id, customer_id=survivor_id)
        if surviving is None:
            await change(tx, advocates, merged.id, customer_id=survivor_id)
        else:
            await _unite(tx, merge, surviving, merged)


async def _unite(tx: Tx, merge: Merge, surviving: AdvocateRow, merged: AdvocateRow) -> None:
    await _move_sole_code(tx, merge, surviving, merged)
    for name, statement in _moves(surviving.id, merged.id).items():
        moved = (await tx.execute(statement)).rowcount
        if name in ("codes", "referrals_as_advocate", "journey_runs"):
            merge.count(name, moved)
    await _move_milestones(tx, merge, surviving, merged)
    await _copy_journey_entries(tx, surviving, merged)
    await change(tx, advocates, merged.id, confirmed_count=0, merged_into=surviving.id)
    merged_before = select(customers.c.id).where(customers.c.merged_into == merge.merged.id)
    earlier = advocates.c.customer_id.in_(merged_before) & (advocates.c.merged_into == merged.id)
    await tx.execute(advocates.update().where(earlier).values(merged_into=surviving.id))
    count = surviving.confirmed_count + merged.confirmed_count
    await change(tx, advocates, surviving.id, confirmed_count=count)
    message = f"Both are advocates of {surviving.campaign_id}; together they have {count} confirmed conversions."
    merge.conflicts.append(MergeConflict("two_advocates", "united", message, surviving.campaign_id))


def _moves(surviving_id: str, merged_id: str) -> dict[str, Update]:
    """Return the statements that move what belongs to the merged advocate, as far as it is still used."""
    pending = literal_in(messages.c.state, "pending")
    tracked = literal_in(tracked_events.c.state, "pending")
    open_runs = literal_in(journey_runs.c.state, *OPEN_RUN_STATES)
    owned: dict[str, tuple[Table[Any], Any]] = {
        "codes": (codes, codes.c.advocate_id),
        "referrals_as_advocate": (referrals, referrals.c.advocate_id),
        "shares": (shares, shares.c.advocate_id),
        "clicks": (clicks, clicks.c.advocate_id),
        "journey_runs": (journey_runs, journey_runs.c.advocate_id),
        "messages": (messages, messages.c.advocate_id),
        "sent_messages": (messages, messages.c.sender_id),
        "notified_runs": (journey_runs, journey_runs.c.notifier_workflow_id),
        "workflow_starts": (workflow_starts, workflow_starts.c.sender_id),
        "tracked_events": (tracked_events, tracked_events.c.advocate_id),
        "sent_events": (tracked_events, tracked_events.c.sender_id),
    }
    conditions = {
        "journey_runs": open_runs,
        "messages": pending,
        "sent_messages": pending,
        "workflow_starts": literal_in(workflow_starts.c.state, "pending"),
        "tracked_events": tracked,
        "sent_events": tracked,
    }
    return {
        name: table.update()
        .where(column == merged_id, conditions.get(name, true()))
        .values({column: surviving_id})
        for name, (table, column) in owned.items()
    }


async def _move_sole_code(
    tx: Tx, merge: Merge, surviving: AdvocateRow, merged: AdvocateRow
) -> None:
    """Let the survivor have one sole code, the one that a publication returns; any other stays valid."""
    of_merged = await find(tx, codes, sole_code_of_advocate_id=merged.id)
    if of_merged is None:
        return
    own = await first_of(
        tx,
        CodeRow,
        select(codes)
        .where(codes.c.advocate_id == surviving.id)
        .order_by(codes.c.published_at)
        .limit(1),
    )
    mine = codes.update().where(codes.c.code == of_merged.code)
    await tx.execute(mine.values(sole_code_of_advocate_id=None if own else surviving.id))
    if own:
        message = f"Both have a code of {surviving.campaign_id}. Both stay valid; a publication returns {own.code}."
        merge.conflicts.append(
            MergeConflict(
                "two_sole_codes",
                "stays_valid",
                message,
                surviving.campaign_id,
                own.code,
                of_merged.code,
            )
        )


async def _move_milestones(
    tx: Tx, merge: Merge, surviving: AdvocateRow, merged: AdvocateRow
) -> None:
    """Move milestones, numbered after the survivor's. One that both reached stays paid, as a duplicate."""
    last = await _last_occurrences(tx, surviving.id)
    reached = {
        row.tier: row.id for row in await _milestones_of(tx, surviving.id) if _is_in_force(row)
    }
    for row in await _milestones_of(tx, merged.id):
        last[row.tier] = last.get(row.tier, 0) + 1
        original = reached.get(row.tier) if _is_in_force(row) else row.duplicate_of
        await change(
            tx,
            milestones,
            row.id,
            advocate_id=surviving.id,
            occurrence=last[row.tier],
            duplicate_of=original,
        )
        merge.count("milestones", 1)
        if original and original != row.duplicate_of:
            message = f"Both have reached {row.name}. What was paid for it stays paid."
            campaign_id = surviving.campaign_id
            merge.conflicts.append(
                MergeConflict("same_milestone", "duplicate", message, campaign_id, original, row.id)
            )


def _is_in_force(row: MilestoneRow) -> bool:
    return row.state == "reached" and row.duplicate_of is None


async def _milestones_of(tx: Tx, advocate_id: str) -> list[MilestoneRow]:
    statement = select(milestones).where(milestones.c.advocate_id == advocate_id)
    order = (milestones.c.tier, milestones.c.occurrence)
    return list(await rows_of(tx, MilestoneRow, statement.order_by(*order)))


async def _last_occurrences(tx: Tx, advocate_id: str) -> dict[str, int]:
    statement = (
        select(milestones.c.tier, func.max(milestones.c.occurrence).label("last"))
        .where(milestones.c.advocate_id == advocate_id)
        .group_by(milestones.c.tier)
    )
    return {row.tier: row.last for row in await rows(tx, statement)}


async def _copy_journey_entries(tx: Tx, surviving: AdvocateRow, merged: AdvocateRow) -> None:
    """Let the survivor have entered the journeys that the merged advocate has entered."""
    for name in await versions.list_journeys(tx, surviving.campaign_id):
        prefix = f"{surviving.campaign_id}/{name}"
        entered = await find(tx, journey_entries, key=f"{prefix}/{merged.id}")
        if entered is None:
            continue
        new = insert(tx, journey_entries).values(
            key=f"{prefix}/{surviving.id}", entered_at=entered.entered_at
        )
        later = journey_entries.c.entered_at < new.excluded.entered_at
        await tx.execute(
            new.on_conflict_do_update(
                index_elements=["key"], set_={"entered_at": new.excluded.entered_at}, where=later
            )
        )
