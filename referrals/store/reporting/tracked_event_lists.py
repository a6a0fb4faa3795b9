"""Events that journeys send to providers, as lists and commands show them."""

from typing import Any

from sqlalchemy import ColumnElement, Select, select

from referrals.errors import UnknownTrackedEventError
from referrals.store import views
from referrals.store.campaigns.versions import require_campaign
from referrals.store.db.pages import Cursor, newest_first
from referrals.store.db.sql import Tx, first_of
from referrals.store.reporting.lists import match_filters
from referrals.store.schema import TrackedEventRow, customers, tracked_events
from referrals.store.views import Page


class _ListedEvent(TrackedEventRow):
    """A row of `_select`, with the caller's id of the customer."""

    customer: str


def _select() -> Select[*tuple[Any, ...]]:
    return select(tracked_events, customers.c.external_id.label("customer")).join(
        customers, customers.c.id == tracked_events.c.customer_id
    )


def _to_view(row: _ListedEvent) -> views.TrackedEvent:
    return views.TrackedEvent(
        id=row.id,
        key=row.key,
        campaign=row.campaign_id,
        referral=row.referral_id,
        customer=row.customer,
        provider=row.provider,
        event=row.event,
        attributes=row.attributes,
        state=row.state,
        attempts=row.attempts,
        error=f"{row.error_code}: {row.error}" if row.error else None,
        cause=row.failure_cause,
        retry_at=row.retry_at,
        created_at=row.created_at,
        completed_at=row.completed_at,
    )


async def get_tracked_event(tx: Tx, event_id: str) -> views.TrackedEvent:
    row = await first_of(tx, _ListedEvent, _select().where(tracked_events.c.id == event_id))
    if row is None:
        raise UnknownTrackedEventError(event_id)
    return _to_view(row)


async def list_tracked_events(
    tx: Tx,
    campaign_id: str,
    cursor: Cursor,
    *,
    state: str | None = None,
    customer: str | None = None,
    cause: str | None = None,
) -> Page[views.TrackedEvent]:
    """List tracked events, newest first."""
    await require_campaign(tx, campaign_id)
    filters: dict[ColumnElement[Any], str | None] = {
        tracked_events.c.state: state,
        customers.c.external_id: customer,
        tracked_events.c.failure_cause: cause,
    }
    statement = _select().where(
        tracked_events.c.campaign_id == campaign_id, *match_filters(filters)
    )
    order = (tracked_events.c.created_at, tracked_events.c.id)
    return await newest_first(tx, statement, order, cursor, _to_view)
