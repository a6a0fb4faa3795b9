"""`GET /r/{code}`: the referral link."""

from html import escape
from typing import Annotated, Any
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from fastapi import APIRouter, Path, Request
from fastapi.responses import HTMLResponse, PlainTextResponse, RedirectResponse, Response
from starlette.background import BackgroundTask

from entrypoints.api.resources import Engine
from referrals.domain.campaign import Campaign
from referrals.domain.codes import normalise
from referrals.store import campaigns, scenes
from referrals.store.sql import Tx

router = APIRouter(tags=["visits"])

UNKNOWN = "This referral link is not known. Please check it, or ask your friend for a new one.\n"
PAGE = """\
<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>{campaign}</title>
<h1>{campaign}</h1>
<p>Your code is <strong>{code}</strong>. Use it at the checkout.</p>
"""
"""For a campaign without a landing page."""
_SHOWN: dict[str, Any] = {"description": "The code.", "content": {"text/html": {}}}


@router.head("/r/{code}", include_in_schema=False)
@router.get(
    "/r/{code}",
    response_class=RedirectResponse,
    status_code=302,
    responses={200: _SHOWN},
)
async def follow(
    code: Annotated[str, Path(max_length=255)], request: Request, engine: Engine
) -> Response:
    """Send the visitor on to the campaign's landing page, with the code, and count the click.

    Without a landing page, show the code. HEAD counts nothing.
    """
    code = normalise(code)
    async with engine.store.read() as tx:
        campaign = await _campaign_of(tx, code)
    if campaign is None:
        return PlainTextResponse(UNKNOWN, 404)
    response = _landing(campaign, code)
    response.headers["cache-control"] = "no-store"
    if request.method == "GET":
        # The visitor does not wait for it, nor is stopped by its failure.
        response.background = BackgroundTask(engine.intake.click, code, "visitor")
    return response


async def _campaign_of(tx: Tx, code: str) -> Campaign | None:
    row = await scenes.find_code(tx, code) if "\x00" not in code else None
    if row is None or row.advocate_id is None:
        return None
    found = await campaigns.in_force(tx, row.campaign_id)
    return found.campaign if found else None


def _landing(campaign: Campaign, code: str) -> Response:
    if campaign.landing_url is not None:
        return RedirectResponse(with_code(campaign.landing_url, code), 302)
    return HTMLResponse(PAGE.format(campaign=escape(campaign.name), code=escape(code)))


def with_code(url: str, code: str) -> str:
    """The URL with `code` among its query parameters."""
    parts = urlsplit(url)
    query = [pair for pair in parse_qsl(parts.query, keep_blank_values=True) if pair[0] != "code"]
    return urlunsplit(parts._replace(query=urlencode([*query, ("code", code)])))
