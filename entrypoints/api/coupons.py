"""`/v1/campaigns/{campaign}/coupons`: pools of coupon codes that were made elsewhere."""

import csv
import io
from collections.abc import Sequence
from typing import Annotated, Any

from fastapi import APIRouter, Path, Request
from pydantic import Field, ValidationError

from entrypoints.api.http_errors import MalformedBodyError, UnsupportedMediaTypeError
from entrypoints.api.request_bodies import Route, content_type, decode, is_json, parse_json
from entrypoints.api.resources import Caller, CampaignId, Engine
from referrals.domain.event_fields import CampaignSlug
from referrals.domain.strict_model import StrictModel
from referrals.domain.validation_messages import field_errors
from referrals.errors import InvalidRequestError
from referrals.store import views
from referrals.store.rewards import coupon_pools
from referrals.store.rewards.coupon_pools import Numbered

router = APIRouter(route_class=Route, tags=["coupons"])

MOST = 10_000
HEADER = "code"

PoolName = Annotated[CampaignSlug, Path(description="The pool's name, as rewards have it.")]


class Codes(StrictModel):
    """Coupon codes to be imported, as they are written."""

    codes: Annotated[tuple[str, ...], Field(max_length=MOST)]


_BODY = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {"schema": Codes.model_json_schema()},
            "text/csv": {"schema": {"type": "string", "example": "code\nWELCOME-1\n"}},
        },
    }
}


@router.post("/campaigns/{campaign}/coupons/{pool}", openapi_extra=_BODY)
async def import_coupons(
    campaign: CampaignId, pool: PoolName, request: Request, engine: Engine, caller: Caller
) -> views.Imported:
    """Add up to 10,000 codes to the pool, all of them or none; rewards that wait for it are granted then.

    As CSV the codes stand in the column `code`. An error's line is that of the file, in JSON the place in the list.
    """
    codes = await _read(request)
    async with engine.store.rehearse() as tx:
        answer = await coupon_pools.add(tx, campaign, pool, codes, caller, engine.clock())
        if not answer.errors:
            await tx.commit()
    return answer


@router.get("/campaigns/{campaign}/coupons/{pool}")
async def count_coupons(campaign: CampaignId, pool: PoolName, engine: Engine) -> views.CouponPool:
    async with engine.store.scan() as tx:
        return await coupon_pools.count(tx, campaign, pool)


async def _read(request: Request) -> Sequence[Numbered]:
    kind, body = content_type(request), await request.body()
    if kind == "text/csv":
        numbered = _lines(decode(body))
        _checked({"codes": [code for _, code in numbered]})
        return numbered
    if not is_json(kind):
        raise UnsupportedMediaTypeError(kind, "application/json or text/csv")
    return [(place, code.strip()) for place, code in enumerate(_checked(parse_json(body)).codes, 1)]


def _lines(text: str) -> list[Numbered]:
    reader = csv.reader(io.StringIO(text.removeprefix("\ufeff"), newline=""))
    try:
        lines = [(reader.line_num, ",".join(cells).strip()) for cells in reader]
    except csv.Error as error:
        raise MalformedBodyError(
            f"The body is not CSV: line {reader.line_num}: {error}."
        ) from error
    if not lines or lines[0][1].lower() != HEADER:
        raise MalformedBodyError(f"The body's first line must be its header, {HEADER}.")
    return [(line, code) for line, code in lines[1:] if code]


def _checked(told: Any) -> Codes:
    try:
        return Codes.model_validate(told)
    except ValidationError as error:
        raise InvalidRequestError(field_errors(error)) from error
