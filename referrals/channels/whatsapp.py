"""WhatsApp channel: Meta's Cloud API, with templates that Meta has approved."""

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from typing import Any

import httpx
from pydantic import BaseModel, Field, SecretStr, ValidationError

from referrals.channels import Channel, OutgoingMessage
from referrals.channels.errors import (
    ChannelUnavailable,
    MessageRejected,
    SendOutcomeUnknown,
    VendorNotCalled,
)
from referrals.channels.whatsapp_errors import classify_error, parse_error
from referrals.channels.whatsapp_request import build_request
from referrals.clock import Clock, utc_now
from referrals.http_client import NoResponse, RequestNotSent, VendorApi, VendorResponse, open_client
from referrals.settings import Settings

MIN_RECIPIENT_INTERVAL = timedelta(seconds=6)
"""Minimum time between two messages to one recipient (Meta's pair rate limit)."""

_TOKEN_PATTERN = re.compile(r"[!-~]+")


@asynccontextmanager
async def open_whatsapp(
    settings: Settings, clock: Clock = utc_now
) -> AsyncIterator[dict[str, Channel]]:
    """Yield the channel by its name, or nothing if the settings have no phone number.

    Raises:
        ValueError: A setting is missing or malformed.
    """
    if not settings.whatsapp_phone_number_id:
        yield {}
        return
    async with open_client() as client:
        yield {WhatsAppChannel.name: WhatsAppChannel.from_settings(settings, client, clock)}


class _AcceptedMessage(BaseModel):
    id: str = Field(min_length=1)


class _SendResponse(BaseModel):
    messages: list[_AcceptedMessage] = Field(min_length=1)


class WhatsAppChannel:
    """Sends template messages through Meta's Cloud API.

    Meta has no idempotency keys. After a lost response, a status with our key shows whether the message was sent. Meta's
    reference contains the recipient's number, so it must only be stored, never logged or shown.
    """

    name = "whatsapp"
    reports_outcome = True

    def __init__(
        self,
        client: httpx.AsyncClient,
        url: str,
        phone_number_id: str,
        token: SecretStr,
        clock: Clock = utc_now,
    ) -> None:
        """
        Args:
            client: From `open_client`.
            url: Base URL with version: `https://graph.facebook.com/v23.0`.
            phone_number_id: Meta's id of the sending number.
            token: Access token of a system user that may use the number.
            clock: Measures the time between messages to one recipient.

        Raises:
            ValueError: The URL, the id or the token is malformed.
        """
        if not (phone_number_id.isascii() and phone_number_id.isdecimal()):
            raise ValueError("the WhatsApp phone number id must be digits only")
        if not _TOKEN_PATTERN.fullmatch(token.get_secret_value()):
            raise ValueError("the WhatsApp token must be a single word")
        credentials = {"Authorization": f"Bearer {token.get_secret_value()}"}
        self._api = VendorApi(client, "WhatsApp", url, credentials)
        self._path = f"/{phone_number_id}"
        self._recipient_limit = _RecipientRateLimit(clock)

    @classmethod
    def from_settings(
        cls, settings: Settings, client: httpx.AsyncClient, clock: Clock = utc_now
    ) -> "WhatsAppChannel":
        """Create the channel.

        Raises:
            ValueError: A setting is missing. Those of the webhook are required too: without it, outcomes stay unknown.
        """
        required = ("phone_number_id", "token", "app_secret", "verify_token")
        values = [getattr(settings, f"whatsapp_{name}") for name in required]
        if missing := [n for n, value in zip(required, values, strict=True) if not value]:
            names = ", ".join(f"REFERRALS_WHATSAPP_{name.upper()}" for name in missing)
            raise ValueError(f"WhatsApp needs {names}")
        url = f"{settings.whatsapp_url.rstrip('/')}/{settings.whatsapp_version}"
        return cls(client, url, values[0], values[1], clock)

    async def send(self, message: OutgoingMessage) -> str:
        """Return Meta's id of the message once Meta has accepted it.

        Raises:
            MessageRejected: `no_template`, `no_address`, `invalid_address`, `marketing_us`, and those of `whatsapp_errors`.
            AddressUnreachable, RecipientOptedOut, ChannelSuspended: See `whatsapp_errors`.
            ChannelUnavailable: Meta cannot be reached or limits the rate.
            VendorNotCalled: The recipient has just received a message.
            SendOutcomeUnknown: There was no response, or an inconclusive one.
        """
        content = message.content.whatsapp
        if content is None:
            raise MessageRejected("no_template", "The message has no WhatsApp template.")
        body = build_request(message.key, message.to, content)
        self._recipient_limit.reserve(body["to"])
        response = await self._call("POST", f"{self._path}/messages", body)
        if not response.is_success:
            raise self._to_channel_error(response, message.attempt)
        try:
            return _SendResponse.model_validate(response.body).messages[0].id
        except ValidationError:
            raise SendOutcomeUnknown(
                "WhatsApp accepted the message, but its response has no id."
            ) from None

    async def describe(self) -> str:
        """Describe the number for the operator: name, host and quality rating. Raises the errors of `send`."""
        response = await self._call("GET", self._path)
        if not response.is_success:
            raise self._to_channel_error(response, attempt=1)
        known = response.body if isinstance(response.body, dict) else {}
        name, quality = (str(known.get(key, "?")) for key in ("verified_name", "quality_rating"))
        return (
            f"{self._api.sanitize(name)} at {self._api.host}, quality {self._api.sanitize(quality)}"
        )

    async def _call(
        self, method: str, path: str, body: dict[str, Any] | None = None
    ) -> VendorResponse:
        try:
            return await self._api.call(method, path, body=body)
        except RequestNotSent as error:
            raise ChannelUnavailable(str(error)) from None
        except NoResponse as error:
            raise SendOutcomeUnknown(str(error)) from None

    def _to_channel_error(self, response: VendorResponse, attempt: int) -> Exception:
        body = response.body
        error = parse_error(body.get("error") if isinstance(body, dict) else None)
        number = response.status if error.code is None else error.code
        text = self._api.sanitize(error.text) or "no description"
        message = f"WhatsApp responded with {number}: {text}"
        meaning = classify_error(response.status, error)
        if meaning is None:
            return SendOutcomeUnknown(message)
        retry_after = response.retry_after() if "Retry-After" in response.headers else None
        return meaning.error(message, attempt, retry_after)


class _RecipientRateLimit:
    """Limits messages to one recipient, per process. Saves most calls that Meta would reject with 131056.

    Several workers together may exceed it; Meta then rejects the call.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._last_sent: dict[str, datetime] = {}

    def reserve(self, to: str) -> None:
        """Reserve a message to the recipient. Raises VendorNotCalled if they have just received one."""
        now = self._clock()
        while self._last_sent:
            oldest = next(iter(self._last_sent))
            if now - self._last_sent[oldest] < MIN_RECIPIENT_INTERVAL:
                break
            del self._last_sent[oldest]
        if to in self._last_sent:
            wait = self._last_sent[to] + MIN_RECIPIENT_INTERVAL - now
            raise VendorNotCalled("The recipient received a WhatsApp message a moment ago.", wait)
        self._last_sent[to] = now
