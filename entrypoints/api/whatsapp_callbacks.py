"""`/hooks/whatsapp`: callbacks of Meta, which are signed instead of sent with a key."""

from collections.abc import Sequence
from datetime import datetime

from fastapi import APIRouter, Request
from fastapi.responses import PlainTextResponse, Response

from entrypoints.api.http_errors import InvalidSignatureError
from entrypoints.api.resources import ResourcesDep
from referrals.channels.whatsapp_webhooks import (
    has_valid_signature,
    parse_webhook,
    verify_subscription,
)
from referrals.domain.message_status import MarketingPreference, MessageStatus
from referrals.store import Store
from referrals.store.messaging import status_reports

MAX_CHALLENGE_LENGTH = 255
MAX_BATCH_SIZE = 50
"""Statuses per transaction. It holds the write lock of SQLite for as long."""

router = APIRouter(prefix="/hooks", tags=["hooks"])


@router.get("/whatsapp", response_class=PlainTextResponse)
async def subscribe_whatsapp(request: Request, resources: ResourcesDep) -> Response:
    """Answer Meta's challenge if the verify token is that of the settings."""
    token = resources.settings.whatsapp_verify_token
    challenge = verify_subscription(request.query_params, token) if token else None
    if challenge is None or len(challenge) > MAX_CHALLENGE_LENGTH:
        raise InvalidSignatureError("The verify token is not REFERRALS_WHATSAPP_VERIFY_TOKEN.")
    return PlainTextResponse(challenge, headers={"x-content-type-options": "nosniff"})


@router.post("/whatsapp", status_code=200, response_class=Response)
async def receive_whatsapp(request: Request, resources: ResourcesDep) -> Response:
    """Store message statuses and marketing preferences. The signature is over the raw body.

    Anything else in a signed body is ignored. After any response but 200, Meta retries for up to seven days.
    """
    body, secret = await request.body(), resources.settings.whatsapp_app_secret
    signature = request.headers.get("x-hub-signature-256", "")
    if not secret or not has_valid_signature(body, signature, secret):
        raise InvalidSignatureError("The body is not signed with REFERRALS_WHATSAPP_APP_SECRET.")
    statuses, preferences = parse_webhook(body)
    await record_callback(resources.store, statuses, preferences, resources.clock())
    return Response()


async def record_callback(
    store: Store,
    statuses: Sequence[MessageStatus],
    preferences: Sequence[MarketingPreference],
    now: datetime,
) -> None:
    """Store what a callback reports; preferences first, because sending depends on them."""
    for preference in preferences:
        async with store.begin() as tx:
            await status_reports.record_preference(tx, preference, now)
    for start in range(0, len(statuses), MAX_BATCH_SIZE):
        batch = statuses[start : start + MAX_BATCH_SIZE]
        async with store.begin() as tx:
            await status_reports.record_statuses(tx, "whatsapp", batch, now)
