"""`/v1/campaigns/{campaign}/coupons`: pools of imported coupon codes."""

import asyncio
from typing import Annotated, Any

from fastapi import APIRouter, Path, Request
from pydantic import ValidationError

from entrypoints.api.coupon_files import CouponFile, read_coupon_file
from entrypoints.api.http_errors import UnsupportedMediaTypeError
from entrypoints.api.openapi import FILE, CouponCodes
from entrypoints.api.problems import problems
from entrypoints.api.request_bodies import content_type, is_json, parse_json
from entrypoints.api.resources import Caller, CampaignId, ResourcesDep
from entrypoints.api.routing import AuthenticatedRoute
from referrals.domain.event_fields import CampaignSlug
from referrals.domain.validation_messages import field_errors
from referrals.errors import InvalidRequestError, UnknownCampaignError
from referrals.store import views
from referrals.store.rewards import coupon_pools

router = APIRouter(route_class=AuthenticatedRoute, tags=["coupons"])


PoolName = Annotated[CampaignSlug, Path(description="Name of the pool in the campaign's rewards.")]


_BODY = {
    "requestBody": {
        "required": True,
        "content": {
            "text/csv": {"schema": FILE, "example": "code\nWELCOME-1\n"},
        },
    }
}
"""Clients are generated for the file alone: some cannot choose between two types of body."""


@router.post(
    "/campaigns/{campaign}/coupons/{pool}",
    openapi_extra=_BODY,
    responses=problems(UnknownCampaignError),
)
async def import_coupons(
    campaign: CampaignId, pool: PoolName, request: Request, resources: ResourcesDep, caller: Caller
) -> views.ImportResult:
    """Add up to 10,000 codes to the pool, all of them or none. Rewards that wait for the pool are then granted.

    A CSV file has the column `code`, in any case and among others, which are ignored. It may be separated by commas,
    semicolons or tabs, in UTF-8, UTF-16 or Windows-1252. `{"codes": ["WELCOME-1"]}` as `application/json` is accepted
    too. The line of an error is that of the file or, for JSON, the position in the list.
    """
    file = await _read(request)
    async with resources.store.uncommitted() as tx:
        errors = await coupon_pools.add(
            tx, campaign, pool, file.codes, caller, resources.clock(), file.errors
        )
        if errors:
            return views.ImportResult(0, errors, file.ignored_columns)
        await tx.commit()
    return views.ImportResult(len(file.codes), [], file.ignored_columns)


@router.get("/campaigns/{campaign}/coupons/{pool}", responses=problems(UnknownCampaignError))
async def get_coupon_pool(
    campaign: CampaignId, pool: PoolName, resources: ResourcesDep
) -> views.CouponPool:
    """Return how many coupons of the pool are available, issued, redeemed and void."""
    async with resources.store.read_long() as tx:
        return await coupon_pools.count(tx, campaign, pool)


async def _read(request: Request) -> CouponFile:
    kind, body = content_type(request), await request.body()
    if kind == "text/csv":
        file = await asyncio.to_thread(read_coupon_file, body)
        _validate({"codes": [code for _, code in file.codes]})
        return file
    if not is_json(kind):
        raise UnsupportedMediaTypeError(kind, "application/json or text/csv")
    codes = [code.strip() for code in _validate(parse_json(body)).codes]
    return CouponFile(list(enumerate(codes, 1)), [], [])


def _validate(value: Any) -> CouponCodes:
    try:
        return CouponCodes.model_validate(value)
    except ValidationError as error:
        raise InvalidRequestError(field_errors(error)) from error
