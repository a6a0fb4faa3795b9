"""`/hooks`: what vendors tell. They have no key; what they send is signed."""

from collections.abc import Sequence
from datetime import datetime

from fastapi import APIRouter, Request
from fastapi.responses import PlainTextResponse, Response

from entrypoints.api.http_errors import InvalidSignatureError
from entrypoints.api.resources import Engine
from referrals.channels.whatsapp_webhooks import (
    has_valid_signature,
    parse_webhook,
    verify_subscription,
)
from referrals.domain.message_status import MarketingPreference, MessageStatus
from referrals.store import Store
from referrals.store.messaging import deliveries

MOST_CHALLENGE = 255
"""Characters."""

router = APIRouter(prefix="/hooks", tags=["hooks"])


@router.get("/whatsapp", response_class=PlainTextResponse)
async def subscribe_whatsapp(request: Request, engine: Engine) -> Response:
    """Answer Meta's challenge, where it shows the verify token of the settings."""
    token = engine.settings.whatsapp_verify_token
    challenge = verify_subscription(request.query_params, token) if token else None
    if challenge is None or len(challenge) > MOST_CHALLENGE:
        raise InvalidSignatureError("The verify token is not REFERRALS_WHATSAPP_VERIFY_TOKEN.")
    return PlainTextResponse(challenge, headers={"x-content-type-options": "nosniff"})


@router.post("/whatsapp", status_code=200, response_class=Response)
async def hear_whatsapp(request: Request, engine: Engine) -> Response:
    """Take in statuses and preferences, signed over the raw body; 200 says that they are kept.

    Whatever else a signed body holds is passed over. Anything but 200 makes Meta send it again, for up to seven days.
    """
    body, secret = await request.body(), engine.settings.whatsapp_app_secret
    signature = request.headers.get("x-hub-signature-256", "")
    if not secret or not has_valid_signature(body, signature, secret):
        raise InvalidSignatureError("The body is not signed with REFERRALS_WHATSAPP_APP_SECRET.")
    statuses, preferences = parse_webhook(body)
    await note_statuses(engine.store, statuses, preferences, engine.clock())
    return Response()


async def note_statuses(
    store: Store,
    statuses: Sequence[MessageStatus],
    preferences: Sequence[MarketingPreference],
    now: datetime,
) -> None:
    """Keep what a vendor told, before it hears that we have: wishes first, since sending goes by them."""
    for preference in preferences:
        async with store.begin() as tx:
            await deliveries.record_preference(tx, preference, now)
    for status in statuses:
        async with store.begin() as tx:
            await deliveries.record_status(tx, "whatsapp", status, now)
