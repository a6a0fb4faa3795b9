"""`/v1/customers`: who they are, how to reach them, and what they hold."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from fastapi import APIRouter
from pydantic import ValidationError
from sqlalchemy import Row

from entrypoints.api.bodies import Route
from entrypoints.api.listing import AS_CSV, List
from entrypoints.api.resources import CustomerId, Engine
from referrals.domain.events import Customer
from referrals.store import customers, views, wallets

router = APIRouter(route_class=Route, tags=["customers"])


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
    customer_since: datetime | None
    created_at: datetime


# These come first: an id may hold slashes, and the routes of a customer match whatever is left.
@router.get("/customers/{customer:path}/wallet")
async def get_wallet(customer: CustomerId, engine: Engine) -> views.Wallet:
    async with engine.store.read() as tx:
        return await wallets.get_wallet(tx, customer)


@router.get(
    "/customers/{customer:path}/wallet/entries",
    response_model=views.Page[views.Entry],
    responses=AS_CSV,
)
async def list_entries(customer: CustomerId, engine: Engine, asked: List) -> Any:
    async with engine.store.read() as tx:
        page = await wallets.list_entries(tx, customer, asked.cursor)
    return asked.answer(page, views.Entry)


@router.get("/customers/{customer:path}")
async def get_customer(customer: CustomerId, engine: Engine) -> CustomerDetails:
    async with engine.store.read() as tx:
        return _details(await wallets.require_customer(tx, customer))
