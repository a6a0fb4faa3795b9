"""Merge a customer into another: on an event, on an operator's request, or as a preview that is rolled back."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import select

from referrals.domain.events import Customer
from referrals.errors import FieldError, InvalidRequestError
from referrals.store import lookups
from referrals.store.activity.log import activity_row, write_rows
from referrals.store.customers import profiles
from referrals.store.db.sql import Tx, change, get, rows_of
from referrals.store.flow import pending_work
from referrals.store.inbox import inbox_events
from referrals.store.inbox.outcome import Outcome
from referrals.store.ledger import transfers
from referrals.store.merging.advocates import merge_advocates
from referrals.store.merging.friends import merge_friends
from referrals.store.merging.locks import lock_both
from referrals.store.merging.people import merge_person, merge_rewards
from referrals.store.merging.report import Merge
from referrals.store.schema import (
    AdvocateRow,
    CustomerRow,
    ReferralRow,
    advocates,
    customer_merges,
    customers,
)
from referrals.store.schema import inbox_events as inbox_events_table

MERGED = "customer_merged"


async def decide(tx: Tx, event_id: str, now: datetime) -> Outcome:
    """Merge the customers that a `customer_merged` event names. An unknown `from` is created, with nothing to move."""
    data = (await get(tx, inbox_events_table, id=event_id)).data
    named = [await _id_of(tx, data[name], now) for name in ("customer", "from")]
    survivor, merged = await lock_both(tx, *named)
    event = await inbox_events.lock(tx, event_id)  # in its turn among the events of both
    if event.response:
        return Outcome.repeated(event)
    changed: list[str] = []
    if survivor.id == merged.id:
        report = await _first_report(tx, survivor, *reversed(named))
    else:
        work = Merge(survivor, merged, event.actor, event.data.get("reason"), now)
        report, changed = await merge(tx, work)
    await inbox_events.set_data(tx, event_id, event.data | {"changed_referrals": changed})
    return Outcome(event, details={"merge": report})


async def _id_of(tx: Tx, named: str, now: datetime) -> str:
    """Return the id of the customer; create an unknown one. Locks none that exists: the order of locks is that of the merge."""
    found = await profiles.find_named(tx, named)
    return found.id if found else await profiles.upsert(tx, Customer(id=named), now)


class WorkflowsToNotify(NamedTuple):
    """Referrals that a merge has changed, and advocates (campaign and customer) for whom work is pending since."""

    referrals: Sequence[ReferralRow]
    advocates: list[tuple[str, str]]


async def find_workflows(tx: Tx, event_id: str, now: datetime) -> WorkflowsToNotify:
    """Find the workflows to notify after the merge of an event."""
    event = await inbox_events.lock(tx, event_id)
    changed = [
        await lookups.get_referral(tx, referral_id)
        for referral_id in event.data["changed_referrals"]
    ]
    own = select(advocates).where(
        advocates.c.customer_id == event.customer_id, advocates.c.merged_into.is_(None)
    )
    waiting = [
        (row.campaign_id, row.customer_id)
        for row in await rows_of(tx, AdvocateRow, own.order_by(advocates.c.id))
        if (
            await pending_work.find_for_advocate(tx, row.campaign_id, row.customer_id, now)
        ).has_work
    ]
    return WorkflowsToNotify(changed, waiting)


async def merge(tx: Tx, work: Merge) -> tuple[dict[str, Any], list[str]]:
    """Merge two customers, who are locked (see `locks.lock_both`).

    Returns the report, and the ids of the referrals whose workflows have to be notified.
    """
    merged_id, survivor_id = work.merged.id, work.survivor.id
    memo = f"Merged from {merged_id}"  # not the caller's id, which may be an email address
    work.transfers = await transfers.transfer_all(tx, merged_id, survivor_id, memo, work.now)
    await merge_rewards(tx, work)
    await merge_advocates(tx, work)
    await merge_friends(tx, work)
    await merge_person(tx, work)
    return await _record(tx, work), [row.id for row in work.changed_referrals]


async def _first_report(tx: Tx, survivor: CustomerRow, *named: str) -> dict[str, Any]:
    """Return the report of the merge that made the named ids one customer."""
    for customer_id in named:
        if customer_id != survivor.id:
            return (await get(tx, customer_merges, customer_id=customer_id)).report
    raise InvalidRequestError([FieldError("from", "is the customer itself")])


async def _record(tx: Tx, work: Merge) -> dict[str, Any]:
    """Give the merged id, and all ids that were merged into it, to the survivor; record who did it and why."""
    survivor, merged, report = work.survivor, work.merged, work.report()
    merged_before = customers.update().where(customers.c.merged_into == merged.id)
    await tx.execute(merged_before.values(merged_into=survivor.id))
    await change(tx, customers, merged.id, merged_into=survivor.id)
    await tx.execute(
        customer_merges.insert().values(
            customer_id=merged.id,
            into_id=survivor.id,
            actor=work.actor,
            reason=work.reason,
            at=work.now,
            report=report,
        )
    )
    logged = activity_row(
        MERGED,
        at=work.now,
        actor=work.actor,
        campaign_id=None,
        advocate_id=None,
        customer_id=survivor.id,
        data=report,
    )
    await write_rows(tx, [logged])
    return report
