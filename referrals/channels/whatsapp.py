"""WhatsApp by Meta's Cloud API: templates that Meta has approved, to E.164 numbers."""

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from typing import Any

import httpx
from pydantic import BaseModel, Field, SecretStr, ValidationError

from referrals.channels import Channel, OutgoingMessage
from referrals.channels.errors import ChannelUnavailable, MessageRejected, SendOutcomeUnknown
from referrals.channels.whatsapp_errors import classify_error, parse_error
from referrals.channels.whatsapp_request import build_request
from referrals.clock import Clock, utc_now
from referrals.http_client import NoResponse, RequestNotSent, VendorApi, VendorResponse, open_client
from referrals.settings import Settings

MIN_RECIPIENT_INTERVAL = timedelta(seconds=6)
"""Between two messages of one number to one recipient."""

_TOKEN = re.compile(r"[!-~]+")


@asynccontextmanager
async def open_whatsapp(
    settings: Settings, clock: Clock = utc_now
) -> AsyncIterator[dict[str, Channel]]:
    """The channel, by its name, where the settings name a number.

    Raises:
        ValueError: One of the settings is missing or malformed.
    """
    if not settings.whatsapp_phone_number_id:
        yield {}
        return
    async with open_client() as client:
        yield {WhatsAppChannel.name: WhatsAppChannel.of(settings, client, clock)}


class _Sent(BaseModel):
    id: str = Field(min_length=1)


class _Accepted(BaseModel):
    messages: list[_Sent] = Field(min_length=1)


class WhatsAppChannel:
    """Meta takes no idempotency key: a message whose answer is lost shows in a status, with our key, or was not sent.

    The reference is Meta's, and a recipient's number can be read from it: it is for the books only.
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
            client: Of `open_client`.
            url: With the version: `https://graph.facebook.com/v23.0`.
            phone_number_id: Meta's id of the number that messages come from.
            token: Of a system user that may send by it.
            clock: What pauses between messages to one recipient are measured by.

        Raises:
            ValueError: The URL, the id or the token is malformed.
        """
        if not (phone_number_id.isascii() and phone_number_id.isdecimal()):
            raise ValueError("the id of the WhatsApp number must be digits, as Meta shows it")
        if not _TOKEN.fullmatch(token.get_secret_value()):
            raise ValueError("the WhatsApp token must be one word, as Meta shows it")
        credentials = {"Authorization": f"Bearer {token.get_secret_value()}"}
        self._api = VendorApi(client, "WhatsApp", url, credentials)
        self._path = f"/{phone_number_id}"
        self._pairs = _Pairs(clock)

    @classmethod
    def of(
        cls, settings: Settings, client: httpx.AsyncClient, clock: Clock = utc_now
    ) -> "WhatsAppChannel":
        """Raises ValueError where a setting is missing: without its webhooks, what was sent is never known."""
        needed = ("phone_number_id", "token", "app_secret", "verify_token")
        values = [getattr(settings, f"whatsapp_{name}") for name in needed]
        if missing := [n for n, value in zip(needed, values, strict=True) if not value]:
            names = ", ".join(f"REFERRALS_WHATSAPP_{name.upper()}" for name in missing)
            raise ValueError(f"WhatsApp needs {names}")
        url = f"{settings.whatsapp_url.rstrip('/')}/{settings.whatsapp_version}"
        return cls(client, url, values[0], values[1], clock)

    async def send(self, message: OutgoingMessage) -> str:
        """Meta's id of the message, once Meta has accepted it.

        Raises:
            Refused: `no_template`, `no_address`, `invalid_address`, `marketing_us`, and by `whatsapp_errors`.
            Unreachable, OptedOut, Blocked: by `whatsapp_errors`.
            Unavailable: Meta is not reached or wants a pause, or the recipient had a message a moment ago.
            Unclear: There was no answer, or none that tells.
        """
        content = message.content.whatsapp
        if content is None:
            raise MessageRejected("no_template", "The message has no WhatsApp template.")
        body = build_request(message.key, message.to, content)
        self._pairs.pace(body["to"])
        answer = await self._call("POST", f"{self._path}/messages", body)
        if not answer.is_success:
            raise self._failure(answer, message.attempt)
        try:
            return _Accepted.model_validate(answer.body).messages[0].id
        except ValidationError:
            raise SendOutcomeUnknown(
                "WhatsApp took the message, and answered without its id."
            ) from None

    async def describe(self) -> str:
        """The number as Meta knows it, for the operator. Raises as `send` does."""
        answer = await self._call("GET", self._path)
        if not answer.is_success:
            raise self._failure(answer, attempt=1)
        known = answer.body if isinstance(answer.body, dict) else {}
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

    def _failure(self, answer: VendorResponse, attempt: int) -> Exception:
        failed = answer.body.get("error") if isinstance(answer.body, dict) else None
        code, words = parse_error(failed)
        number = answer.status if code is None else code
        sentence = f"WhatsApp answered {number}: {self._api.sanitize(words) or 'no words'}"
        meaning = classify_error(answer.status, code)
        if meaning is None:
            return SendOutcomeUnknown(sentence)
        asked = answer.retry_after() if "Retry-After" in answer.headers else None
        return meaning.error(sentence, attempt, asked)


class _Pairs:
    """When each recipient was written to last by this process: a courtesy, which spares most calls that Meta would
    answer with 131056. Over several workers Meta's answer is what holds.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._last: dict[str, datetime] = {}

    def pace(self, to: str) -> None:
        """Take the recipient's turn. Raises Unavailable until it has come."""
        now = self._clock()
        while self._last:
            oldest = next(iter(self._last))
            if now - self._last[oldest] < MIN_RECIPIENT_INTERVAL:
                break
            del self._last[oldest]
        if to in self._last:
            wait = self._last[to] + MIN_RECIPIENT_INTERVAL - now
            raise ChannelUnavailable("The recipient had a WhatsApp message a moment ago.", wait)
        self._last[to] = now
