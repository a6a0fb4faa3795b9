"""`GET /r/{code}`: the referral link."""

from html import escape
from typing import Annotated, Any
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from fastapi import APIRouter, Path, Query, Request
from fastapi.responses import HTMLResponse, PlainTextResponse, RedirectResponse, Response
from starlette.background import BackgroundTask

from entrypoints.api.resources import ResourcesDep
from referrals.domain.campaign import Campaign
from referrals.domain.clicks import parse_share_channel
from referrals.store import lookups
from referrals.store.campaigns import versions
from referrals.store.codes import clicks
from referrals.store.db.sql import Tx
from referrals.store.schema import CodeRow

router = APIRouter(tags=["visits"])

PREVIEW_AGENTS = ("whatsapp/", "facebookexternalhit", "slackbot", "twitterbot", "telegrambot")
"""Parts of the user agents that fetch a link to show a preview of it."""
UNKNOWN_LINK = "This referral link does not work. Please ask your friend for a new one.\n"
PAGE = """\
<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>{campaign}</title>
<h1>{campaign}</h1>
<p>Your code is <strong>{code}</strong>. Enter it at checkout.</p>
"""
"""Page of a campaign without a landing page."""
_CODE_PAGE: dict[str, Any] = {"description": "The code.", "content": {"text/html": {}}}

Via = Annotated[str | None, Query(description="The channel by which the link was shared.")]


@router.head("/r/{code:path}", include_in_schema=False)
@router.get(
    "/r/{code:path}",
    response_class=RedirectResponse,
    status_code=302,
    responses={200: _CODE_PAGE},
)
async def follow_link(
    code: Annotated[str, Path(max_length=255)],
    request: Request,
    resources: ResourcesDep,
    via: Via = None,
) -> Response:
    """Count a click, and redirect to the campaign's landing page with the code and the id of the click.

    The code is read in any spelling, also with the punctuation of a sentence behind it.
    Without a landing page, the code is shown. HEAD requests, messengers' previews and browsers' prefetches are not
    counted. Nothing is stored about the visitor.
    """
    async with resources.store.read() as tx:
        found = await lookups.find_code(tx, code)
        campaign = await _find_campaign(tx, found) if found else None
    if found is None or campaign is None:
        return PlainTextResponse(UNKNOWN_LINK, 404)
    code = found.code
    click = clicks.new_click(code) if _is_visit(request) else None
    response = _respond(campaign, code, click)
    response.headers["cache-control"] = "no-store"
    if click:
        # The visitor does not wait for the count, and is redirected even if it fails.
        response.background = BackgroundTask(
            resources.inbox.record_click, click, code, parse_share_channel(via)
        )
    return response


def _is_visit(request: Request) -> bool:
    """Return true if a person opened the link, as far as the request shows."""
    agent = request.headers.get("user-agent", "").lower()
    purpose = request.headers.get("sec-purpose", "") + request.headers.get("purpose", "")
    is_preview = any(preview in agent for preview in PREVIEW_AGENTS)
    return request.method == "GET" and not is_preview and "prefetch" not in purpose.lower()


async def _find_campaign(tx: Tx, code: CodeRow) -> Campaign | None:
    """Find the campaign of a code that is published."""
    found = await versions.find_in_force(tx, code.campaign_id) if code.advocate_id else None
    return found.campaign if found else None


def _respond(campaign: Campaign, code: str, click: str | None) -> Response:
    if campaign.landing_url is not None:
        return RedirectResponse(_landing_url(campaign.landing_url, code, click), 302)
    return HTMLResponse(PAGE.format(campaign=escape(campaign.name), code=escape(code)))


def _landing_url(url: str, code: str, click: str | None) -> str:
    """Return the URL with the query parameters `code` and `click`, which replace any of these names."""
    parts = urlsplit(url)
    others = [
        pair
        for pair in parse_qsl(parts.query, keep_blank_values=True)
        if pair[0] not in ("code", "click")
    ]
    visit = {"code": code} | ({"click": click} if click else {})
    return urlunsplit(parts._replace(query=urlencode([*others, *visit.items()])))
