"""Channel `http`: an endpoint of the operator's that sends messages by any other service (guide: docs/messages.md).

`POST {url}` sends a message:

    Idempotency-Key: spring/msg_…                      same value as `key`
    webhook-id, webhook-timestamp, webhook-signature   Standard Webhooks, computed over the raw body

    {"key": "spring/msg_…", "campaign": "spring", "template": "thank_advocate", "purpose": "service", "locale": "de",
     "recipient": {"customer": "ada", "name": "Ada", "email": "ada@example.com", "phone": "+4915112345678"},
     "subject": "…", "text": "…", "data": {…}, "unsubscribe_url": "https://…"}

A response of 2xx, with `{"reference"?: "…"}`, means accepted; 409 that the key was accepted before. Any other response may
say `{"reason": "unreachable" | "opted_out" | "refused" | "blocked" | "unavailable", "message"?: "…"}`; then the message was
certainly not sent. The endpoint reports later statuses to `/hooks/messages`.
"""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from http import HTTPStatus
from typing import Annotated, Any, Literal

import httpx
from pydantic import AfterValidator, BaseModel, Field, SecretStr, ValidationError

from referrals.addresses import AddressNotAllowedError, CheckedTransport
from referrals.channels import OutgoingMessage
from referrals.channels.error_meanings import ErrorMeaning
from referrals.channels.errors import ChannelSuspended, ChannelUnavailable, SendOutcomeUnknown
from referrals.clock import Clock, utc_now
from referrals.domain.event_fields import clean_text
from referrals.http_client import (
    NoResponse,
    RequestNotSent,
    StandardWebhooksAuth,
    VendorApi,
    VendorResponse,
    open_client,
    sanitize,
)
from referrals.settings import Settings

MAX_REFERENCE_LENGTH = 255
Reference = Annotated[
    str, Field(min_length=1, max_length=MAX_REFERENCE_LENGTH), AfterValidator(clean_text)
]
"""Id of a message at the endpoint."""
FailureReason = Literal["unreachable", "opted_out", "refused", "blocked", "unavailable"]
"""Reason of a failure, as the endpoint names it."""

_NOT_ACCEPTED = ErrorMeaning("unavailable", "unavailable", timedelta(minutes=1))
_BY_STATUS: dict[int, ErrorMeaning] = {
    HTTPStatus.UNAUTHORIZED: ErrorMeaning("blocked", "signature"),
    HTTPStatus.FORBIDDEN: ErrorMeaning("blocked", "signature"),
    HTTPStatus.NOT_FOUND: ErrorMeaning("blocked", "wrong_url"),
    HTTPStatus.METHOD_NOT_ALLOWED: ErrorMeaning("blocked", "wrong_url"),
    HTTPStatus.GONE: ErrorMeaning("blocked", "wrong_url"),
    HTTPStatus.TOO_MANY_REQUESTS: _NOT_ACCEPTED,
    HTTPStatus.SERVICE_UNAVAILABLE: _NOT_ACCEPTED,
}


class _Accepted(BaseModel):
    reference: Reference | None = None


class _Refused(BaseModel):
    reason: FailureReason
    message: str = ""


@asynccontextmanager
async def open_http_messages(
    settings: Settings, clock: Clock = utc_now
) -> AsyncIterator[dict[str, "HttpChannel"]]:
    """Yield the channel by its name, or nothing if the settings have no endpoint.

    Raises:
        ValueError: A setting is missing or malformed.
    """
    if not settings.http_messages_url:
        yield {}
        return
    timeout = settings.http_messages_timeout.total_seconds()
    transport = CheckedTransport(private=settings.webhooks_allow_private)
    async with open_client(read=timeout, transport=transport) as client:
        yield {HttpChannel.name: HttpChannel.from_settings(settings, client, clock)}


class HttpChannel:
    """Posts messages to the operator's endpoint, which sends each key at most once."""

    name = "http"
    reports_outcome = True

    def __init__(
        self, client: httpx.AsyncClient, url: str, secret: SecretStr, clock: Clock = utc_now
    ) -> None:
        """
        Args:
            client: From `open_client`, with a `CheckedTransport`.
            url: The endpoint, without a query.
            secret: Signing secret: `whsec_` and 24 to 64 random bytes in base64.
            clock: Source of the time in the signature.

        Raises:
            ValueError: The URL or the secret is malformed.
        """
        auth = StandardWebhooksAuth(secret, clock)
        self._api = VendorApi(client, "The endpoint", url, {}, auth=auth)

    @classmethod
    def from_settings(
        cls, settings: Settings, client: httpx.AsyncClient, clock: Clock = utc_now
    ) -> "HttpChannel":
        """Create the channel. Raises ValueError if a setting is missing."""
        if not settings.http_messages_url or settings.http_messages_secret is None:
            raise ValueError(
                "the channel http needs REFERRALS_HTTP_MESSAGES_URL and REFERRALS_HTTP_MESSAGES_SECRET"
            )
        return cls(client, settings.http_messages_url, settings.http_messages_secret, clock)

    async def send(self, message: OutgoingMessage) -> str | None:
        """Return the endpoint's reference, if it has one, once the endpoint has accepted the message.

        Raises:
            MessageRejected, AddressUnreachable, RecipientOptedOut: The endpoint says so, or refuses the message by its status.
            ChannelSuspended: The URL, the signature or the service behind the endpoint has to be corrected.
            ChannelUnavailable: The endpoint cannot be reached, limits the rate, or is down for maintenance.
            SendOutcomeUnknown: There was no response, or an inconclusive one.
        """
        headers = {"webhook-id": message.key, "Idempotency-Key": message.key}
        response = await self._call("POST", _request_body(message), headers)
        if response.is_success or response.status == HTTPStatus.CONFLICT:
            return _parse_reference(response.body)
        raise self._to_channel_error(response, message.attempt)

    async def describe(self) -> str:
        """Describe the endpoint for the operator, after a signed GET. Raises the errors of `send`."""
        response = await self._call("GET", None, {"webhook-id": "doctor"})
        is_up = response.status in (HTTPStatus.NOT_FOUND, HTTPStatus.METHOD_NOT_ALLOWED)
        if response.is_success or is_up:
            return f"{self._api.host} responds with {response.status}"
        raise self._to_channel_error(response, attempt=1)

    async def _call(
        self, method: str, body: dict[str, Any] | None, headers: dict[str, str]
    ) -> VendorResponse:
        try:
            return await self._api.call(method, "", body=body, headers=headers)
        except AddressNotAllowedError as error:
            raise ChannelSuspended("address_not_allowed", f"{error}.", "channel") from None
        except RequestNotSent as error:
            raise ChannelUnavailable(str(error)) from None
        except NoResponse as error:
            raise SendOutcomeUnknown(str(error)) from None

    def _to_channel_error(self, response: VendorResponse, attempt: int) -> Exception:
        try:
            refused = _Refused.model_validate(response.body)
        except ValidationError:
            meaning, text = classify_status(response.status), ""
        else:
            meaning, text = meaning_of(refused.reason), sanitize(refused.message)
        message = f"The endpoint responded with {response.status}{text and f': {text}'}"
        if meaning is None:
            return SendOutcomeUnknown(message)
        retry_after = response.retry_after() if "Retry-After" in response.headers else None
        return meaning.error(message, attempt, retry_after)


def meaning_of(reason: FailureReason) -> ErrorMeaning:
    """Return the meaning of a failure, in a response or in a status; the reason is its code."""
    return _NOT_ACCEPTED if reason == "unavailable" else ErrorMeaning(reason, reason)


def classify_status(status: int) -> ErrorMeaning | None:
    """Classify a response without a reason. None means that the outcome is unknown."""
    if status in _BY_STATUS:
        return _BY_STATUS[status]
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR or status == HTTPStatus.REQUEST_TIMEOUT:
        return None
    if status < HTTPStatus.BAD_REQUEST:
        return ErrorMeaning("blocked", "redirect")
    return meaning_of("refused")


def _request_body(message: OutgoingMessage) -> dict[str, Any]:
    content = message.content
    return {
        "key": message.key,
        "campaign": message.campaign,
        "template": message.template,
        "purpose": content.purpose,
        "locale": content.locale,
        "recipient": {"name": message.recipient_name, **json.loads(message.to or "{}")},
        "subject": content.subject,
        "text": content.http.text if content.http else content.text,
        "data": dict(content.http.data) if content.http else {},
        "unsubscribe_url": message.unsubscribe_url,
    }


def _parse_reference(body: Any) -> str | None:
    try:
        return _Accepted.model_validate(body).reference
    except ValidationError:
        return None
