"""`/v1/customers/{customer}/consents`: which messages a customer allows."""

from datetime import datetime
from typing import Any, Literal

from fastapi import APIRouter

from entrypoints.api.http_errors import invalid_field
from entrypoints.api.paging import AS_CSV, Paging
from entrypoints.api.problems import problems
from entrypoints.api.resources import CustomerId, ResourcesDep
from entrypoints.api.routing import AuthenticatedRoute
from referrals.domain.event_fields import EventTime
from referrals.domain.strict_model import StrictModel
from referrals.errors import UnknownCustomerError
from referrals.store import views
from referrals.store.customers import consents
from referrals.store.db.pages import Cursor
from referrals.store.flow.receiving import MAX_CLOCK_SKEW
from referrals.store.reporting import wallets

router = APIRouter(route_class=AuthenticatedRoute, tags=["customers"])


class ConsentUpdate(StrictModel):
    """Consent that a customer gives or withdraws for one channel and purpose; `at` defaults to now."""

    channel: Literal["email", "whatsapp", "http"]
    """Channel that the choice is about."""
    purpose: Literal["service", "marketing"] = "marketing"
    """Purpose that the choice is about."""
    state: Literal["given", "withdrawn"]
    """The choice."""
    source: Literal["api", "operator"] = "api"
    """Sender of the choice."""
    at: EventTime | None = None
    """Time of the choice; defaults to now, and must not be in the future."""


@router.get(
    "/customers/{customer}/consents",
    response_model=views.Page[views.Consent],
    responses=AS_CSV | problems(UnknownCustomerError),
)
async def list_consents(customer: CustomerId, resources: ResourcesDep, params: Paging) -> Any:
    """List all consents given and withdrawn. The latest of each channel and purpose is in force."""
    async with resources.store.read_long() as tx:
        row = await wallets.require_customer(tx, customer)
        page = await consents.list_history(tx, row.id, params.cursor)
    return params.render(page, views.Consent)


@router.post("/customers/{customer}/consents", responses=problems(UnknownCustomerError))
async def record_consent(
    customer: CustomerId, body: ConsentUpdate, resources: ResourcesDep
) -> views.Page[views.Consent]:
    """Record a consent. The latest by `at` is in force; a customer's list `consent` never overrides it."""
    now = resources.clock()
    at = _check_time(body.at or now, now)
    async with resources.store.begin() as tx:
        row = await wallets.require_customer(tx, customer)
        await consents.record_consent(
            tx, row.id, body.channel, body.purpose, body.state, body.source, min(at, now)
        )
        return await consents.list_history(tx, row.id, Cursor())


def _check_time(at: datetime, now: datetime) -> datetime:
    if at > now + MAX_CLOCK_SKEW:
        raise invalid_field("at", "must not be in the future")
    return at
