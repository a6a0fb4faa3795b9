"""What customers allow, `/v1/customers/{customer}/consents`; and what is not written to: suppressed addresses, blocks."""

from datetime import datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Path

from entrypoints.api.http_errors import invalid_field
from entrypoints.api.paging import AS_CSV, List
from entrypoints.api.request_bodies import Route
from entrypoints.api.resources import CustomerId, Engine
from referrals.domain.event_fields import EventTime, Text
from referrals.domain.strict_model import StrictModel
from referrals.errors import UnknownBlockError, UnknownSuppressionError
from referrals.store import views
from referrals.store.customers import consents
from referrals.store.db.pages import Cursor
from referrals.store.flow.receiving import CLOCK_SKEW
from referrals.store.messaging import channel_suspensions, suppressions
from referrals.store.reporting import wallets

router = APIRouter(route_class=Route, tags=["customers"])

Channel = Literal["email", "whatsapp"]


class Wish(StrictModel):
    """What a customer has said about one kind of messages; `at`, if it was not just now, is when."""

    channel: Channel
    purpose: Literal["service", "marketing"] = "marketing"
    state: Literal["given", "withdrawn"]
    source: Literal["api", "operator"] = "api"
    at: EventTime | None = None


@router.get(
    "/customers/{customer:path}/consents",
    response_model=views.Page[views.Consent],
    responses=AS_CSV,
)
async def list_consents(customer: CustomerId, engine: Engine, asked: List) -> Any:
    """All that was given and withdrawn; of each channel and purpose the latest is in force."""
    async with engine.store.scan() as tx:
        row = await wallets.require_customer(tx, customer)
        page = await consents.list_history(tx, row.id, asked.cursor)
    return asked.answer(page, views.Consent)


@router.post("/customers/{customer:path}/consents")
async def note_consent(
    customer: CustomerId, body: Wish, engine: Engine
) -> views.Page[views.Consent]:
    """Note what the customer has said. The latest counts, by when it was said; a list never overrules it."""
    now = engine.clock()
    at = _checked(body.at or now, now)
    async with engine.store.begin() as tx:
        row = await wallets.require_customer(tx, customer)
        await consents.record_consent(
            tx, row.id, body.channel, body.purpose, body.state, body.source, min(at, now)
        )
        return await consents.list_history(tx, row.id, Cursor())


@router.delete("/customers/{customer:path}/suppressions/{channel}", status_code=204)
async def lift_suppression(customer: CustomerId, channel: Channel, engine: Engine) -> None:
    """Write to the customer by this channel again: what kept mails from arriving was set right."""
    async with engine.store.begin() as tx:
        row = await wallets.require_customer(tx, customer)
        if not await suppressions.lift(tx, row.id, channel):
            raise UnknownSuppressionError(customer, channel)


@router.get("/suppressions", response_model=views.Page[views.Suppression], responses=AS_CSV)
async def list_suppressions(engine: Engine, asked: List, customer: Text | None = None) -> Any:
    async with engine.store.scan() as tx:
        page = await suppressions.list_suppressions(tx, asked.cursor, customer=customer)
    return asked.answer(page, views.Suppression)


@router.get("/blocks", response_model=views.Page[views.Block], responses=AS_CSV)
async def list_blocks(engine: Engine, asked: List) -> Any:
    """What is held until an operator sets something right at the vendor's, or in a template."""
    async with engine.store.scan() as tx:
        page = await channel_suspensions.list_suspensions(tx, asked.cursor)
    return asked.answer(page, views.Block)


@router.delete("/blocks/{block}", status_code=204)
async def lift_block(
    block: Annotated[int, Path(description="The block's id.", ge=1, lt=2**63)], engine: Engine
) -> None:
    """It was set right: what is held goes out when it tries next, without waiting for one message to get through."""
    async with engine.store.begin() as tx:
        if not await channel_suspensions.lift(tx, block):
            raise UnknownBlockError(block)


def _checked(at: datetime, now: datetime) -> datetime:
    if at > now + CLOCK_SKEW:
        raise invalid_field("at", "must not be in the future")
    return at
