"""`GET /r/{code}`: the referral link."""

from html import escape
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request
from fastapi.responses import HTMLResponse, PlainTextResponse, RedirectResponse, Response
from starlette.background import BackgroundTask

from entrypoints.api.resources import ResourcesDep
from referrals.domain.campaign import Campaign
from referrals.domain.clicks import parse_share_channel
from referrals.domain.landing_pages import landing_url
from referrals.domain.visits import find_omission
from referrals.store import lookups
from referrals.store.campaigns import versions
from referrals.store.codes import clicks
from referrals.store.db.sql import Tx
from referrals.store.schema import CodeRow

router = APIRouter(tags=["visits"])

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

    The code is read in any spelling, also with the punctuation of a sentence behind it. Without a landing page, the code
    is shown. Parameters that the campaign passes on (`link.pass_on`) go to the landing page too. Bots, previews,
    prefetches and HEAD requests are no clicks. Nothing is stored about the visitor.
    """
    async with resources.store.read() as tx:
        found = await lookups.find_code(tx, code)
        campaign = await _find_campaign(tx, found) if found else None
    if found is None or campaign is None:
        return PlainTextResponse(UNKNOWN_LINK, 404)
    code, omission = found.code, find_omission(request.method, request.headers)
    click = None if omission else clicks.new_click(code)
    response = _respond(campaign, code, click, request.url.query)
    response.headers["cache-control"] = "no-store"
    if omission:
        resources.omitted_clicks.count(campaign.campaign, omission)
    if click:
        # The visitor does not wait for the count, and is redirected even if it fails.
        response.background = BackgroundTask(
            resources.inbox.record_click, click, code, parse_share_channel(via)
        )
    return response


async def _find_campaign(tx: Tx, code: CodeRow) -> Campaign | None:
    """Find the campaign of a code that is published."""
    found = await versions.find_in_force(tx, code.campaign_id) if code.advocate_id else None
    return found.campaign if found else None


def _respond(campaign: Campaign, code: str, click: str | None, query: str) -> Response:
    if campaign.landing_url is not None:
        visit = {"code": code} | ({"click": click} if click else {})
        url = landing_url(campaign.landing_url, visit, query, campaign.link.pass_on)
        return RedirectResponse(url, 302)
    return HTMLResponse(PAGE.format(campaign=escape(campaign.name), code=escape(code)))
