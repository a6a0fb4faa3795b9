"""`GET /r/{code}`: the referral link."""

from html import escape
from typing import Annotated, Any
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from fastapi import APIRouter, Path, Query, Request
from fastapi.responses import HTMLResponse, PlainTextResponse, RedirectResponse, Response
from starlette.background import BackgroundTask

from entrypoints.api.resources import Engine
from referrals.domain.campaign import Campaign
from referrals.domain.clicks import parse_share_channel
from referrals.domain.codes import normalise_code
from referrals.store import lookups
from referrals.store.campaigns import versions
from referrals.store.codes import clicks
from referrals.store.db.sql import Tx

router = APIRouter(tags=["visits"])

PREVIEWS = ("whatsapp/", "facebookexternalhit", "slackbot", "twitterbot", "telegrambot")
"""Parts of the user agents that look at a link to show a preview of it."""
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

Via = Annotated[str | None, Query(description="The channel by which the link was shared.")]


@router.head("/r/{code}", include_in_schema=False)
@router.get(
    "/r/{code}",
    response_class=RedirectResponse,
    status_code=302,
    responses={200: _SHOWN},
)
async def follow(
    code: Annotated[str, Path(max_length=255)], request: Request, engine: Engine, via: Via = None
) -> Response:
    """Send the visitor on to the campaign's landing page, with the code and the id of the click, and count the click.

    Without a landing page, show the code. HEAD, a messenger's preview and a browser's prefetch count nothing, and
    carry no id. Nothing is kept of the visitor.
    """
    code = normalise_code(code)
    async with engine.store.read() as tx:
        campaign = await _campaign_of(tx, code)
    if campaign is None:
        return PlainTextResponse(UNKNOWN, 404)
    click = clicks.new_click(code) if _is_visit(request) else None
    response = _landing(campaign, code, click)
    response.headers["cache-control"] = "no-store"
    if click:
        # The visitor does not wait for it, nor is stopped by its failure.
        response.background = BackgroundTask(
            engine.inbox.record_click, click, code, parse_share_channel(via)
        )
    return response


def _is_visit(request: Request) -> bool:
    """Somebody follows the link, as far as one can tell."""
    agent = request.headers.get("user-agent", "").lower()
    purpose = request.headers.get("sec-purpose", "") + request.headers.get("purpose", "")
    is_preview = any(preview in agent for preview in PREVIEWS)
    return request.method == "GET" and not is_preview and "prefetch" not in purpose.lower()


async def _campaign_of(tx: Tx, code: str) -> Campaign | None:
    row = await lookups.find_code(tx, code) if "\x00" not in code else None
    if row is None or row.advocate_id is None:
        return None
    found = await versions.in_force(tx, row.campaign_id)
    return found.campaign if found else None


def _landing(campaign: Campaign, code: str, click: str | None) -> Response:
    if campaign.landing_url is not None:
        return RedirectResponse(_with_visit(campaign.landing_url, code, click), 302)
    return HTMLResponse(PAGE.format(campaign=escape(campaign.name), code=escape(code)))


def _with_visit(url: str, code: str, click: str | None) -> str:
    """The URL with `code` and `click` among its query parameters, in place of any that are there."""
    parts = urlsplit(url)
    kept = [
        pair
        for pair in parse_qsl(parts.query, keep_blank_values=True)
        if pair[0] not in ("code", "click")
    ]
    visit = {"code": code} | ({"click": click} if click else {})
    return urlunsplit(parts._replace(query=urlencode([*kept, *visit.items()])))
