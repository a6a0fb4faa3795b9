"""`/v1/campaigns/{campaign}/coupons`: pools of imported coupon codes."""

import csv
import io
from collections.abc import Sequence
from typing import Annotated, Any

from fastapi import APIRouter, Path, Request
from pydantic import Field, ValidationError

from entrypoints.api.http_errors import MalformedBodyError, UnsupportedMediaTypeError
from entrypoints.api.request_bodies import content_type, decode, is_json, parse_json
from entrypoints.api.resources import Caller, CampaignId, ResourcesDep
from entrypoints.api.routing import AuthenticatedRoute
from referrals.domain.event_fields import CampaignSlug
from referrals.domain.strict_model import StrictModel
from referrals.domain.validation_messages import field_errors
from referrals.errors import InvalidRequestError
from referrals.store import views
from referrals.store.rewards import coupon_pools
from referrals.store.rewards.coupon_pools import NumberedCode

router = APIRouter(route_class=AuthenticatedRoute, tags=["coupons"])

MAX_CODES = 10_000
HEADER = "code"

PoolName = Annotated[CampaignSlug, Path(description="Name of the pool in the campaign's rewards.")]


class CouponCodes(StrictModel):
    """Coupon codes to import."""

    codes: Annotated[tuple[str, ...], Field(max_length=MAX_CODES)]


_BODY = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {"schema": CouponCodes.model_json_schema()},
            "text/csv": {"schema": {"type": "string", "example": "code\nWELCOME-1\n"}},
        },
    }
}


@router.post("/campaigns/{campaign}/coupons/{pool}", openapi_extra=_BODY)
async def import_coupons(
    campaign: CampaignId, pool: PoolName, request: Request, resources: ResourcesDep, caller: Caller
) -> views.ImportResult:
    """Add up to 10,000 codes to the pool, all of them or none. Rewards that wait for the pool are then granted.

    A CSV file has the column `code`. The line of an error is that of the file or, for JSON, the position in the list.
    """
    codes = await _read(request)
    async with resources.store.uncommitted() as tx:
        result = await coupon_pools.add(tx, campaign, pool, codes, caller, resources.clock())
        if not result.errors:
            await tx.commit()
    return result


@router.get("/campaigns/{campaign}/coupons/{pool}")
async def count_coupons(
    campaign: CampaignId, pool: PoolName, resources: ResourcesDep
) -> views.CouponPool:
    async with resources.store.read_long() as tx:
        return await coupon_pools.count(tx, campaign, pool)


async def _read(request: Request) -> Sequence[NumberedCode]:
    kind, body = content_type(request), await request.body()
    if kind == "text/csv":
        numbered = _lines(decode(body))
        _validate({"codes": [code for _, code in numbered]})
        return numbered
    if not is_json(kind):
        raise UnsupportedMediaTypeError(kind, "application/json or text/csv")
    return [
        (place, code.strip()) for place, code in enumerate(_validate(parse_json(body)).codes, 1)
    ]


def _lines(text: str) -> list[NumberedCode]:
    reader = csv.reader(io.StringIO(text.removeprefix("\ufeff"), newline=""))
    try:
        lines = [(reader.line_num, ",".join(cells).strip()) for cells in reader]
    except csv.Error as error:
        raise MalformedBodyError(
            f"The body is not CSV: line {reader.line_num}: {error}."
        ) from error
    if not lines or lines[0][1].lower() != HEADER:
        raise MalformedBodyError(f"The first line must be the header {HEADER}.")
    return [(line, code) for line, code in lines[1:] if code]


def _validate(value: Any) -> CouponCodes:
    try:
        return CouponCodes.model_validate(value)
    except ValidationError as error:
        raise InvalidRequestError(field_errors(error)) from error
