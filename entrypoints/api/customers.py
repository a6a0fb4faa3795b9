"""`/v1/customers`: who they are, how to reach them, and what they hold."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from fastapi import APIRouter
from pydantic import ValidationError

from entrypoints.api.http_errors import invalid_field
from entrypoints.api.paging import AS_CSV, List
from entrypoints.api.request_bodies import Route
from entrypoints.api.resources import CustomerId, Engine
from referrals.domain.events import Customer
from referrals.domain.requests import WalletRedemption
from referrals.domain.rewards import Asset
from referrals.domain.validation_messages import field_errors
from referrals.errors import InvalidRequestError
from referrals.store import views
from referrals.store.customers import consents, profiles
from referrals.store.db.sql import Tx
from referrals.store.reporting import wallets

router = APIRouter(route_class=Route, tags=["customers"])

_CUSTOMER = {"$ref": "#/components/schemas/Customer"}
_BODY = {"requestBody": {"content": {"application/json": {"schema": _CUSTOMER}}}}


@dataclass(frozen=True)
class CustomerDetails:
    """The one place where contact details are shown."""

    id: str
    name: str | None
    email: str | None
    phone: str | None
    locale: str | None
    timezone: str | None
    consent: list[str]
    """The channels by which marketing is allowed now."""
    customer_since: datetime | None
    created_at: datetime


# These come first: an id may hold slashes, and the routes of a customer match whatever is left.
@router.get("/customers/{customer:path}/wallet")
async def get_wallet(customer: CustomerId, engine: Engine) -> views.Wallet:
    async with engine.store.scan() as tx:
        return await wallets.get_wallet(tx, customer)


@router.get(
    "/customers/{customer:path}/wallet/entries",
    response_model=views.Page[views.Entry],
    responses=AS_CSV,
)
async def list_entries(customer: CustomerId, engine: Engine, asked: List) -> Any:
    async with engine.store.scan() as tx:
        page = await wallets.list_entries(tx, customer, asked.cursor)
    return asked.answer(page, views.Entry)


@router.get("/customers/{customer:path}")
async def get_customer(customer: CustomerId, engine: Engine) -> CustomerDetails:
    async with engine.store.read() as tx:
        return await _details(tx, customer)


@router.post("/customers/{customer:path}/wallet/redeem")
async def redeem(customer: CustomerId, body: WalletRedemption, engine: Engine) -> views.Wallet:
    """Spend points or gift credit, or use a coupon up, once for each key; answers with what is left."""
    now = engine.clock()
    async with engine.store.begin() as tx:
        if body.coupon is not None:
            return await wallets.redeem_coupon(tx, customer, body.coupon, body.key, now)
        asset = Asset(str(body.type), body.currency)
        return await wallets.redeem(tx, customer, asset, body.minor, body.key, body.memo, now)


@router.put("/customers/{customer:path}", openapi_extra=_BODY)
async def put_customer(
    customer: CustomerId, body: dict[str, Any], engine: Engine
) -> CustomerDetails:
    """Tell who a customer is and how to reach them; what is left out stays as it was.

    `consent` lists the channels by which marketing is allowed; it does not undo what the customer has said since.
    """
    contact = _contact(customer, body)
    async with engine.store.begin() as tx:
        await profiles.upsert(tx, contact, engine.clock())
        return await _details(tx, customer)


def _contact(customer: str, told: dict[str, Any]) -> Customer:
    if told.get("id", customer) != customer:
        raise invalid_field("id", f"must be {customer}, as in the path")
    try:
        return Customer.model_validate(told | {"id": customer})
    except ValidationError as error:
        raise InvalidRequestError(field_errors(error)) from error


async def _details(tx: Tx, customer: str) -> CustomerDetails:
    row = await wallets.require_customer(tx, customer)
    return CustomerDetails(
        id=row.external_id,
        name=row.name,
        email=row.email,
        phone=row.phone,
        locale=row.locale,
        timezone=row.timezone,
        consent=await consents.marketing_channels(tx, row.id),
        customer_since=row.customer_since,
        created_at=row.created_at,
    )
