"""`/v1/customers`: contact details and wallets of customers."""

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query
from pydantic import ValidationError

from entrypoints.api.filters import ReverseRequest
from entrypoints.api.http_errors import invalid_field
from entrypoints.api.openapi import QUEUED
from entrypoints.api.paging import AS_CSV, Paging
from entrypoints.api.problems import Json, problems
from entrypoints.api.resources import Caller, CustomerId, ResourcesDep
from entrypoints.api.routing import AuthenticatedRoute
from referrals.domain.contacts import unreachable_contacts
from referrals.domain.event_fields import Text
from referrals.domain.events import Customer
from referrals.domain.field_docs import Described
from referrals.domain.requests import MergeRequest, WalletRedemption
from referrals.domain.rewards import Asset
from referrals.domain.validation_messages import field_errors
from referrals.errors import (
    CouponNotRedeemableError,
    IdempotencyKeyReusedError,
    InsufficientBalanceError,
    InvalidRequestError,
    UnknownCouponError,
    UnknownCustomerError,
    UnknownRedemptionError,
)
from referrals.store import views
from referrals.store.customers import consents, profiles, survivors
from referrals.store.db.sql import Tx
from referrals.store.reporting import customer_lists, wallets

router = APIRouter(route_class=AuthenticatedRoute, tags=["customers"])

_CUSTOMER = {"$ref": "#/components/schemas/Customer"}
_BODY = {"requestBody": {"content": {"application/json": {"schema": _CUSTOMER}}}}


@dataclass(frozen=True)
class CustomerDetails(Described):
    """A customer with contact details, which no other route shows."""

    id: str
    """The caller's id of the customer."""
    name: str | None
    """Name."""
    email: str | None
    """Email address."""
    phone: str | None
    """Phone number, in E.164 if it could be understood."""
    locale: str | None
    """Language of messages, such as `de` or `en-GB`."""
    timezone: str | None
    """Time zone, such as `Europe/Berlin`."""
    consent: list[str]
    """Channels for which marketing consent is given."""
    unreachable: list[str]
    """`email` or `phone`, if it cannot be written to and only helps to recognise the customer."""
    merged: list[views.MergedId]
    """Other ids of the customer, which were merged into this one."""
    customer_since: datetime | None
    """Time of the registration or first order, as far as it is known."""
    created_at: datetime
    """Time at which it was created."""


@router.get("/customers", response_model=views.Page[views.ListedCustomer], responses=AS_CSV)
async def list_customers(
    resources: ResourcesDep,
    params: Paging,
    id: Annotated[Text | None, Query(description="An id that is or was the customer's.")] = None,
    email: Annotated[Text | None, Query(description="Email address, in any spelling.")] = None,
    name: Annotated[
        Text | None,
        Query(description="A part of the name, in any case. Searches the newest 10,000 customers."),
    ] = None,
) -> Any:
    """List customers, newest first, without contact details. Filters find them by id, email or name."""
    async with resources.store.read_long() as tx:
        page = await customer_lists.list_customers(
            tx, params.cursor, customer=id, email=email, name=name
        )
    return params.render(page, views.ListedCustomer)


@router.get("/customers/{customer}/wallet", responses=problems(UnknownCustomerError))
async def get_wallet(customer: CustomerId, resources: ResourcesDep) -> views.Wallet:
    """Return the balances and coupons of a customer."""
    async with resources.store.read_long() as tx:
        return await wallets.get_wallet(tx, customer)


@router.get(
    "/customers/{customer}/wallet/entries",
    response_model=views.Page[views.LedgerEntry],
    responses=AS_CSV | problems(UnknownCustomerError),
)
async def list_ledger_entries(customer: CustomerId, resources: ResourcesDep, params: Paging) -> Any:
    """List the ledger entries of a wallet, newest first."""
    async with resources.store.read_long() as tx:
        page = await wallets.list_entries(tx, customer, params.cursor)
    return params.render(page, views.LedgerEntry)


@router.get("/customers/{customer}", responses=problems(UnknownCustomerError))
async def get_customer(customer: CustomerId, resources: ResourcesDep) -> CustomerDetails:
    """Return the contact details of a customer."""
    async with resources.store.read() as tx:
        return await _details(tx, customer)


@router.post(
    "/customers/{customer}/wallet/redeem",
    responses=problems(
        UnknownCustomerError,
        UnknownCouponError,
        CouponNotRedeemableError,
        IdempotencyKeyReusedError,
        InsufficientBalanceError,
    ),
)
async def redeem_from_wallet(
    customer: CustomerId, body: WalletRedemption, resources: ResourcesDep
) -> views.Wallet:
    """Redeem points, gift credit or a coupon, once per key. Returns the wallet afterwards."""
    now = resources.clock()
    async with resources.store.begin() as tx:
        if body.coupon is not None:
            return await wallets.redeem_coupon(tx, customer, body.coupon, body.key, now, body.order)
        asset = Asset(str(body.type), body.currency)
        return await wallets.redeem(tx, customer, asset, body.minor, body.key, body.memo, now)


@router.post(
    "/customers/{customer}/merge",
    response_model=views.MergeReport,
    responses=QUEUED | problems(UnknownCustomerError),
)
async def merge_customers(
    customer: CustomerId, body: MergeRequest, resources: ResourcesDep, caller: Caller
) -> Any:
    """Merge the customer `from` into this one: both ids belong to this customer afterwards. Cannot be undone.

    With `preview` nothing changes, and the response is what the merge would do.
    """
    response = await resources.inbox.merge_customers(customer, body, caller)
    return Json(views.with_zulu_times(response.body), response.status)


@router.post(
    "/customers/{customer}/wallet/redemptions/{key}/reverse",
    responses=problems(UnknownCustomerError, UnknownRedemptionError),
)
async def reverse_redemption(
    customer: CustomerId,
    key: Annotated[Text, Path(description="The key of the redemption.")],
    body: ReverseRequest,
    resources: ResourcesDep,
) -> views.Wallet:
    """Give back what was redeemed with a key, such as when its order is cancelled. Once: a repeat changes nothing.

    Points keep their expiry. What the customer owes because of the redemption is repaid first.
    """
    now = resources.clock()
    async with resources.store.begin() as tx:
        return await wallets.reverse_redemption(tx, customer, key, body.reason, now)


@router.put("/customers/{customer}", openapi_extra=_BODY)
async def put_customer(
    customer: CustomerId, body: dict[str, Any], resources: ResourcesDep
) -> CustomerDetails:
    """Create or update a customer. Fields that are left out keep their values; `null` and `""` clear them.

    `consent` lists the channels for which marketing is allowed. It does not override a later choice of the customer.
    """
    contact = _contact(customer, body)
    async with resources.store.begin() as tx:
        await profiles.upsert(tx, contact, resources.clock())
        return await _details(tx, customer)


def _contact(customer: str, body: dict[str, Any]) -> Customer:
    if body.get("id", customer) != customer:
        raise invalid_field("id", f"must be {customer}, as in the path")
    try:
        return Customer.model_validate(_blanks_as_null(body) | {"id": customer})
    except ValidationError as error:
        raise InvalidRequestError(field_errors(error)) from error


def _blanks_as_null(body: dict[str, Any]) -> dict[str, Any]:
    return {
        field: None if isinstance(value, str) and not value.strip() else value
        for field, value in body.items()
    }


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
        unreachable=unreachable_contacts(row.email, row.phone),
        merged=await survivors.list_merged(tx, row.id),
        customer_since=row.customer_since,
        created_at=row.created_at,
    )
