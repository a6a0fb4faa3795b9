"""`/v1/codes/{code}/qr.svg` and `qr.png`: the referral link as a QR code."""

import asyncio
from collections.abc import Callable
from hashlib import sha256
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request
from fastapi.responses import Response

from entrypoints.api.problems import problems
from entrypoints.api.resources import AppResources, ResourcesDep
from entrypoints.api.routing import AuthenticatedRoute
from referrals import qr
from referrals.domain.event_fields import Text
from referrals.domain.links import referral_link
from referrals.errors import UnknownCodeError
from referrals.store import lookups

router = APIRouter(route_class=AuthenticatedRoute, tags=["codes"])

SVG, PNG = "image/svg+xml", "image/png"
NOT_MODIFIED = 304
CACHE_CONTROL = "private, max-age=86400"
"""A code's link rarely changes. The image needs a key, so shared caches must not store it."""

CodeName = Annotated[Text, Path(description="The referral code.")]
Size = Annotated[
    int,
    Query(
        ge=qr.MIN_SIZE_PIXELS,
        le=qr.MAX_SIZE_PIXELS,
        description="Maximum width in pixels. Modules are whole pixels, so the image can be a few pixels smaller.",
    ),
]


def _image(kind: str) -> dict[int | str, dict[str, Any]]:
    schema = {"type": "string", "format": "binary"}
    return {200: {"content": {kind: {"schema": schema}}}, 304: {"description": "Not modified."}}


@router.get(
    "/codes/{code}/qr.svg",
    response_class=Response,
    responses=_image(SVG) | problems(UnknownCodeError),
)
async def get_qr_code_svg(code: CodeName, request: Request, resources: ResourcesDep) -> Response:
    """Return the referral link as a QR code in SVG. Clicks are counted for the channel `qr`."""
    return await _draw(code, request, resources, SVG, qr.svg)


@router.get(
    "/codes/{code}/qr.png",
    response_class=Response,
    responses=_image(PNG) | problems(UnknownCodeError),
)
async def get_qr_code_png(
    code: CodeName, request: Request, resources: ResourcesDep, size: Size = 512
) -> Response:
    """Return the referral link as a QR code in PNG. Clicks are counted for the channel `qr`."""
    return await _draw(code, request, resources, PNG, lambda url: qr.png(url, size))


async def _draw(
    name: str, request: Request, resources: AppResources, kind: str, draw: Callable[[str], bytes]
) -> Response:
    async with resources.store.read() as tx:
        code = await lookups.find_code(tx, name)
    if code is None:
        raise UnknownCodeError(name)
    image = await asyncio.to_thread(
        draw, referral_link(resources.settings.public_url, code.code, "qr")
    )
    tag = f'"{sha256(image).hexdigest()[:32]}"'
    headers = {"etag": tag, "cache-control": CACHE_CONTROL}
    if tag in request.headers.get("if-none-match", ""):
        return Response(status_code=NOT_MODIFIED, headers=headers)
    return Response(image, media_type=kind, headers=headers)
