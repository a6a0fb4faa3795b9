"""`GET /r/{code}`: the referral link."""

from typing import Annotated

from fastapi import APIRouter, Path, Query, Request
from fastapi.responses import RedirectResponse, Response
from starlette.background import BackgroundTask

from entrypoints.api.public_pages import PAGE, respond_with_page
from entrypoints.api.resources import AppResources, ResourcesDep
from referrals.domain.clicks import parse_share_channel
from referrals.domain.landing_pages import landing_url
from referrals.domain.link_state import find_link_state
from referrals.domain.visits import find_omission
from referrals.store import lookups
from referrals.store.campaigns import versions
from referrals.store.campaigns.versions import CampaignInForce
from referrals.store.codes import clicks
from referrals.store.db.sql import Tx
from referrals.store.messaging.drafts import offer_variables
from referrals.store.schema import CodeRow

router = APIRouter(tags=["visits"])

MAX_CODE_LENGTH = 255
ORDER_EVENT = "redemption"
"""Conversion for which the code is entered with an order."""

Via = Annotated[str | None, Query(description="The channel by which the link was shared.")]


@router.head("/r/{code:path}", include_in_schema=False)
@router.get(
    "/r/{code:path}",
    response_class=RedirectResponse,
    status_code=302,
    responses={
        200: PAGE | {"description": "The code, for a campaign without a landing page."},
        404: PAGE | {"description": "The code is unknown."},
        410: PAGE | {"description": "The code has ended or is used up."},
    },
)
async def follow_link(
    code: Annotated[str, Path(description="The code, in any spelling.")],
    request: Request,
    resources: ResourcesDep,
    via: Via = None,
) -> Response:
    """Count a click, and redirect to the campaign's landing page with the code and the id of the click.

    The code is read in any spelling, also with the punctuation of a sentence behind it. Without a landing page, a page
    shows the code, or says why it cannot be used. Parameters that the campaign passes on (`link.pass_on`) go to the
    landing page too. Bots, previews, prefetches and HEAD requests are no clicks. Nothing is stored about the visitor.
    """
    async with resources.store.read() as tx:
        found = await lookups.find_code(tx, code) if len(code) <= MAX_CODE_LENGTH else None
        campaign = await _find_campaign(tx, found) if found else None
    if found is None or campaign is None:
        return respond_with_page(request, resources, "unknown_link", 404)
    omission = find_omission(request.method, request.headers)
    click = None if omission else clicks.new_click(found.code)
    if campaign.campaign.landing_url is None:
        response = _show_code(request, resources, campaign, found)
    else:
        response = _redirect(request, campaign.campaign.landing_url, campaign, found.code, click)
    if omission:
        resources.omitted_clicks.count(campaign.id, omission)
    if click:
        # The visitor does not wait for the count, and is redirected even if it fails.
        response.background = BackgroundTask(
            resources.inbox.record_click, click, found.code, parse_share_channel(via)
        )
    return response


async def _find_campaign(tx: Tx, code: CodeRow) -> CampaignInForce | None:
    """Find the campaign of a code that is published."""
    return await versions.find_in_force(tx, code.campaign_id) if code.advocate_id else None


def _redirect(
    request: Request, url: str, found: CampaignInForce, code: str, click: str | None
) -> Response:
    visit = {"code": code} | ({"click": click} if click else {})
    url = landing_url(url, visit, request.url.query, found.campaign.link.pass_on)
    return RedirectResponse(url, 302, {"cache-control": "no-store"})


def _show_code(
    request: Request, resources: AppResources, found: CampaignInForce, code: CodeRow
) -> Response:
    campaign = found.campaign
    state = find_link_state(
        campaign, found.state, lookups.code_facts(code), found.accepted_count, resources.clock()
    )
    if state != "open":
        status = 200 if state == "closed" else 410
        return respond_with_page(request, resources, f"{state}_link", status, campaign=campaign)
    friend = campaign.rewards.friend
    return respond_with_page(
        request,
        resources,
        "code",
        campaign=campaign,
        code=code.code,
        offer={"friend": offer_variables(friend) if friend else None},
        at_checkout=campaign.conversion.event == ORDER_EVENT,
    )
