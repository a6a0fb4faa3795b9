"""Contact details, consents and everything else that a merged customer has as a person."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Column, Table, func, select

from referrals.store.customers import consents, contacts
from referrals.store.db.sql import Tx, change
from referrals.store.merging.report import Merge
from referrals.store.schema import (
    ConsentRow,
    coupons,
    customers,
    inbox_events,
    messages,
    rewards,
    suppressions,
    tracked_events,
)
from referrals.store.schema import consents as consents_table
from referrals.store.views import MergeConflict

CONTACT_FIELDS = ("name", "email", "phone", "locale", "timezone")
"""Fields that are taken over where the survivor has none."""
SHORTEST_TIME = timedelta(microseconds=1)
"""The resolution of times in the database."""


async def merge_rewards(tx: Tx, merge: Merge) -> None:
    """Give the rewards to the survivor. What a provider was asked for stays under the id that the provider knows."""
    mine = rewards.c.customer_id == merge.merged.id
    called = mine & (rewards.c.provider != "ledger") & (rewards.c.state != "pending")
    known_as = func.coalesce(rewards.c.issued_to, merge.merged.id)
    await tx.execute(rewards.update().where(called).values(issued_to=known_as))
    moved = await tx.execute(rewards.update().where(mine).values(customer_id=merge.survivor.id))
    merge.count("rewards", moved.rowcount)


async def merge_person(tx: Tx, merge: Merge) -> None:
    """Give consents, suppressions, messages and events to the survivor, and contact details that are missing."""
    await _merge_consents(tx, merge)
    columns = suppressions.c
    keys = (columns.channel, columns.address_hash)
    merge.count("suppressions", await _move_new(tx, merge, suppressions, keys))
    for name, table in (("messages", messages), ("events", inbox_events)):
        own = table.c.customer_id == merge.merged.id
        moved = await tx.execute(table.update().where(own).values(customer_id=merge.survivor.id))
        merge.count(name, moved.rowcount)
    never_called = tracked_events.c.last_called_at.is_(None)
    own = tracked_events.c.customer_id == merge.merged.id
    await tx.execute(
        tracked_events.update().where(own, never_called).values(customer_id=merge.survivor.id)
    )
    merge.count("coupons", await _count_coupons(tx, merge))
    await _merge_contact(tx, merge)
    await contacts.move(tx, merge.merged.id, merge.survivor.id)


async def _count_coupons(tx: Tx, merge: Merge) -> int:
    """Count the coupons. They stay with the id under which their redemption keys are unique."""
    own = coupons.c.customer_id == merge.merged.id
    return int(await tx.scalar(select(func.count()).select_from(coupons).where(own)))


async def _move_new(tx: Tx, merge: Merge, table: Table, keys: Sequence[Column[Any]]) -> int:
    """Move rows, except those that the survivor has too; those stay, and nobody reads them any more."""
    others = table.alias()
    equal = (others.c[key.name] == key for key in keys)
    exists = select(others.c.id).where(others.c.customer_id == merge.survivor.id, *equal).exists()
    statement = table.update().where(table.c.customer_id == merge.merged.id, ~exists)
    return int((await tx.execute(statement.values(customer_id=merge.survivor.id))).rowcount)


async def _merge_consents(tx: Tx, merge: Merge) -> None:
    """Move the history. Of two statements the stricter wins, whichever is later."""
    survivor_id = merge.survivor.id
    of_survivor = await consents.current_consents(tx, survivor_id)
    of_merged = await consents.current_consents(tx, merge.merged.id)
    columns = consents_table.c
    keys = (columns.channel, columns.purpose, columns.state, columns.source, columns.at)
    merge.count("consents", await _move_new(tx, merge, consents_table, keys))
    for channel, purpose in sorted(of_survivor.keys() & of_merged.keys()):
        statements = {
            each.state: each
            for each in (of_survivor[channel, purpose], of_merged[channel, purpose])
        }
        if len(statements) == 1:
            continue
        given, withdrawn = statements["given"], statements["withdrawn"]
        message = f"One has withdrawn consent to {purpose} messages by {channel}."
        merge.conflicts.append(MergeConflict("consent", "withdrawn", message))
        if given.at >= withdrawn.at:
            at = max(merge.now, given.at + SHORTEST_TIME)
            await _repeat_consent(tx, survivor_id, withdrawn, at)


async def _repeat_consent(tx: Tx, customer_id: str, entry: ConsentRow, at: datetime) -> None:
    """Add the entry once more, as that of the customer and from `at`."""
    await tx.execute(
        consents_table.insert().values(
            customer_id=customer_id,
            channel=entry.channel,
            purpose=entry.purpose,
            state=entry.state,
            source=entry.source,
            at=at,
        )
    )


async def _merge_contact(tx: Tx, merge: Merge) -> None:
    survivor, merged = merge.survivor, merge.merged
    values = {}
    for name in CONTACT_FIELDS:
        own, other = getattr(survivor, name), getattr(merged, name)
        if own is None and other is not None:
            values[name] = other
        elif other not in (None, own):
            message = f"Both have a {name}; the survivor's stays."
            merge.conflicts.append(
                MergeConflict("contact", "not_taken_over", message, surviving=name)
            )
    since = [each for each in (survivor.customer_since, merged.customer_since) if each]
    values["customer_since"] = min(since, default=None)
    await change(tx, customers, survivor.id, **values)
