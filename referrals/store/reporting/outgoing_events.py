"""Activities as CloudEvents: subscribed webhooks, and the webhooks and workflows of journeys, get them in one shape."""

from collections.abc import Collection, Sequence
from dataclasses import asdict, replace
from typing import Any

from referrals.domain.cloud_events import build_cloud_event
from referrals.store import views
from referrals.store.db.sql import Tx, rows_of
from referrals.store.reporting import lists
from referrals.store.schema import activity


async def load(tx: Tx, activity_ids: Collection[int], source: str) -> dict[int, dict[str, Any]]:
    """Build the events of these activities; customers go by the caller's ids. `source` is that of the events."""
    rows = await _load_rows(tx, activity_ids)
    return {row.id: _build(lists.to_activity_view(row), source) for row in rows}


async def load_with_our_ids(tx: Tx, activity_id: int, source: str) -> dict[str, Any]:
    """Build the event for a workflow, whose history must not have the caller's ids: they may be email addresses."""
    (row,) = await _load_rows(tx, [activity_id])
    view = lists.to_activity_view(row)
    ours = replace(view, customer=row.customer_id, advocate=row.advocate_customer_id)
    return _build(ours, source)


def event_id(activity_id: int) -> str:
    """Return the CloudEvent's id, which is also the `webhook-id`: equal for every webhook and attempt."""
    return f"act_{activity_id}"


async def _load_rows(tx: Tx, activity_ids: Collection[int]) -> Sequence[lists.ListedActivity]:
    if not activity_ids:
        return []
    statement = lists.select_activity().where(activity.c.id.in_(activity_ids))
    return await rows_of(tx, lists.ListedActivity, statement)


def _build(view: views.Activity, source: str) -> dict[str, Any]:
    data = {name: found for name, found in asdict(view).items() if name not in ("id", "type", "at")}
    subject = view.referral or view.advocate or view.customer or view.campaign
    event = build_cloud_event(event_id(int(view.id)), source, view.type, view.at, subject, data)
    return dict(views.with_zulu_times(event))
