"""`GET /r/{code}`: the referral link."""

from typing import Annotated
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from fastapi import APIRouter, Path
from fastapi.responses import PlainTextResponse, RedirectResponse, Response
from starlette.background import BackgroundTask

from entrypoints.api.resources import Engine
from referrals.domain.codes import normalise
from referrals.store import campaigns, scenes
from referrals.store.sql import Tx

router = APIRouter(tags=["visits"])

UNKNOWN = "This referral link is not known. Please check it, or ask your friend for a new one.\n"


@router.get("/r/{code}", response_class=RedirectResponse, status_code=302)
async def follow(code: Annotated[str, Path(max_length=255)], engine: Engine) -> Response:
    """Send the visitor on to the campaign's landing page, with the code, and count the click."""
    code = normalise(code)
    async with engine.store.read() as tx:
        landing_url = await _landing_url(tx, code)
    if landing_url is None:
        return PlainTextResponse(UNKNOWN, 404)
    return RedirectResponse(
        with_code(landing_url, code),
        302,
        {"cache-control": "no-store"},
        # The visitor does not wait for it, nor is stopped by its failure.
        BackgroundTask(engine.intake.click, code, "visitor"),
    )


async def _landing_url(tx: Tx, code: str) -> str | None:
    row = await scenes.find_code(tx, code) if "\x00" not in code else None
    if row is None or row.advocate_id is None:
        return None
    found = await campaigns.in_force(tx, row.campaign_id)
    return found.campaign.landing_url if found else None


def with_code(url: str, code: str) -> str:
    """The URL with `code` among its query parameters."""
    parts = urlsplit(url)
    query = [pair for pair in parse_qsl(parts.query, keep_blank_values=True) if pair[0] != "code"]
    return urlunsplit(parts._replace(query=urlencode([*query, ("code", code)])))
