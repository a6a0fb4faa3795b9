"""`/u/{token}`: the unsubscribe link of a message, one click without a login (RFC 8058)."""

import re
from typing import Annotated, Any

from fastapi import APIRouter, Path, Request
from fastapi.responses import HTMLResponse

from entrypoints.api.public_pages import PAGE, respond_with_page
from entrypoints.api.resources import AppResources, ResourcesDep
from referrals.domain.campaign import Campaign
from referrals.store.campaigns import versions
from referrals.store.customers import consents
from referrals.store.customers.consents import Subscription
from referrals.store.db.sql import Tx

router = APIRouter(tags=["unsubscribe"], default_response_class=HTMLResponse)

Token = Annotated[str, Path(description="Secret of the link in the message.")]

_TOKEN = re.compile(r"[A-Za-z0-9_-]{1,64}")
_UNKNOWN: dict[int | str, dict[str, Any]] = {404: PAGE | {"description": "The link is unknown."}}


@router.get("/u/{token:path}", responses=_UNKNOWN)
async def show_unsubscribe_page(
    token: Token, request: Request, resources: ResourcesDep
) -> HTMLResponse:
    """Show a page with a button to unsubscribe. Changes nothing, because mail scanners follow links too."""
    async with resources.store.read() as tx:
        subscription = await consents.find_subscription(tx, _clean(token))
        campaign = await _find_campaign(tx, subscription)
    return _respond(request, resources, "unsubscribe", subscription, campaign)


@router.post("/u/{token:path}", responses=_UNKNOWN)
async def unsubscribe(token: Token, request: Request, resources: ResourcesDep) -> HTMLResponse:
    """Withdraw the consent to messages of this purpose by this channel. A repeat changes nothing."""
    async with resources.store.begin() as tx:
        subscription = await consents.unsubscribe(tx, _clean(token), resources.clock())
        campaign = await _find_campaign(tx, subscription)
    return _respond(request, resources, "unsubscribed", subscription, campaign)


def _clean(token: str) -> str:
    """Return the token without what a message's sentence or a mail program put after it."""
    found = _TOKEN.match(token)
    return found[0] if found else ""


async def _find_campaign(tx: Tx, subscription: Subscription | None) -> Campaign | None:
    if subscription is None:
        return None
    found = await versions.find_in_force(tx, subscription.campaign_id)
    return found.campaign if found else None


def _respond(
    request: Request,
    resources: AppResources,
    page: str,
    subscription: Subscription | None,
    campaign: Campaign | None,
) -> HTMLResponse:
    if subscription is None:
        return respond_with_page(request, resources, "unknown_unsubscribe", 404)
    return respond_with_page(
        request,
        resources,
        page,
        campaign=campaign,
        locale=subscription.customer.locale,
        purpose=subscription.purpose,
        channels=subscription.channels,
    )
