"""Send one HTTP request to a vendor, with limits on time and size, and tell whether it was sent."""

import asyncio
import json
import logging
import re
from collections.abc import Generator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any

import httpx
from pydantic import SecretStr

from referrals.clock import Clock, utc_now
from referrals.domain.contact_redaction import REMOVED, redact
from referrals.domain.webhook_signatures import signature_headers, signing_key
from referrals.errors import ReferralsError
from referrals.logging import Stopwatch, get_logger

MAX_RESPONSE_BYTES = 4 * 2**20
"""Limit of a response body; reading stops beyond it."""
MAX_ERROR_LENGTH = 300
"""Limit of a vendor's text in an error message, in characters."""
DEFAULT_RETRY_AFTER = timedelta(minutes=1)
"""Delay after a 429 response without `Retry-After`."""
MAX_RETRY_AFTER = timedelta(days=1)
"""Longest delay that is accepted from a vendor."""

log = get_logger(__name__)

_CONNECT_ERRORS = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)
_SECONDS = re.compile(r"[0-9]{1,10}")


class RequestNotSent(ReferralsError):
    """The connection could not be opened, so nothing was sent."""


class NoResponse(ReferralsError):
    """The request was sent but no complete response arrived: the vendor may have processed it."""


class ResponseTooLong(ReferralsError):
    """The response exceeded the limit of size or time."""


@dataclass(frozen=True)
class VendorResponse:
    """Response of a vendor. `body` is the parsed JSON: `{}` if the body is empty, None if it is not JSON."""

    status: int
    headers: httpx.Headers
    body: Any

    @property
    def is_success(self) -> bool:
        return httpx.codes.is_success(self.status)

    def retry_after(self) -> timedelta:
        """Return the delay that the vendor asks for: `Retry-After`, or Voucherify's `X-Rate-Limit-Retry`."""
        header = self.headers.get("Retry-After", "")
        if _SECONDS.fullmatch(header):
            delay = timedelta(seconds=int(header))
        elif until := _parse_http_date(header) or _parse_epoch(
            self.headers.get("X-Rate-Limit-Retry", "")
        ):
            delay = until - (_parse_http_date(self.headers.get("Date", "")) or utc_now())
        else:
            delay = DEFAULT_RETRY_AFTER
        return max(timedelta(seconds=1), min(delay, MAX_RETRY_AFTER))


def open_client(
    connect: float = 5, read: float = 15, transport: httpx.AsyncBaseTransport | None = None
) -> httpx.AsyncClient:
    """Open a client that any number of vendors can share; the caller closes it. Time-outs are in seconds.

    Waiting for a free connection is limited like opening one. A complete response must arrive within twice the read
    timeout. Proxies and credentials from the environment are ignored.
    """
    logging.getLogger("httpx").setLevel(
        logging.WARNING
    )  # httpx logs URLs, which contain customer ids
    return httpx.AsyncClient(
        timeout=httpx.Timeout(read, connect=connect, pool=connect),
        limits=httpx.Limits(max_connections=50, max_keepalive_connections=20),
        headers={"Accept": "application/json", "Accept-Encoding": "identity"},
        follow_redirects=False,
        trust_env=False,
        transport=transport,
    )


class StandardWebhooksAuth(httpx.Auth):
    """Signs each request by Standard Webhooks; the message id is its `webhook-id` header.

    Raises:
        ValueError: the secret is malformed.
    """

    requires_request_body = True

    def __init__(self, secret: SecretStr, clock: Clock) -> None:
        self._key = signing_key(secret.get_secret_value())
        self._clock = clock

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        message_id = request.headers["webhook-id"]
        request.headers.update(
            signature_headers([self._key], message_id, self._clock(), request.content)
        )
        yield request


class VendorApi:
    """HTTP API of one vendor.

    Args:
        credentials: Headers of every request; their values are removed from error messages.
        auth: Adds headers that depend on the request, such as a signature.

    Raises:
        ValueError: the base URL is not a plain http or https address.
    """

    def __init__(
        self,
        client: httpx.AsyncClient,
        name: str,
        base_url: str,
        credentials: Mapping[str, str],
        auth: httpx.Auth | None = None,
    ) -> None:
        url = httpx.URL(base_url)
        if url.scheme not in {"http", "https"} or not url.host or url.query or url.userinfo:
            raise ValueError(f"the base URL of {name} must look like https://api.example.com")
        self.name = name
        self.host = url.netloc.decode()
        self._client = client
        self._base_url = base_url.rstrip("/")
        self._credentials = credentials
        self._auth = auth
        self._deadline = 2 * (client.timeout.read or 0)
        self._calls: set[asyncio.Task[VendorResponse]] = set()

    async def call(
        self,
        method: str,
        path: str,
        *,
        body: Mapping[str, Any] | None = None,
        params: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> VendorResponse:
        """Send a request and return the response, whatever its status.

        When the caller is cancelled, the request still runs to its end: cancelling it could make httpx leak the
        connection.

        Raises:
            RequestNotSent: no connection.
            NoResponse: no complete response.
        """
        request = self._client.build_request(
            method,
            self._base_url + path,
            params=params,
            json=body,
            headers={**self._credentials, **(headers or {})},
        )
        call = asyncio.create_task(self._exchange(request), name=f"call of {self.name}")
        self._calls.add(call)
        call.add_done_callback(self._finish)
        return await self._wait_for(call, method)

    async def _wait_for(self, call: asyncio.Task[VendorResponse], method: str) -> VendorResponse:
        """Wait for the response and log the call."""
        stopwatch, outcome = Stopwatch(), "cancelled"
        try:
            response = await asyncio.shield(call)
            outcome = str(response.status)
        except _CONNECT_ERRORS as error:
            outcome = "not sent"
            raise RequestNotSent(
                f"{self.name} could not be reached: {describe_transport_error(error)}."
            ) from None
        except (httpx.TransportError, ResponseTooLong) as error:
            outcome = "no response"
            raise NoResponse(
                f"{self.name} sent no complete response: {describe_transport_error(error)}."
            ) from None
        finally:
            # Without the path, which contains customer ids.
            log.info(
                "vendor call",
                vendor=self.name,
                method=method,
                outcome=outcome,
                duration_ms=stopwatch.milliseconds,
            )
        return response

    def sanitize(self, text: str) -> str:
        """Shorten a vendor's text to one line, without contact details and without our credentials."""
        for secret in {word for value in self._credentials.values() for word in value.split()}:
            text = text.replace(secret, REMOVED)
        return sanitize(text)

    def _finish(self, call: asyncio.Task[VendorResponse]) -> None:
        self._calls.discard(call)
        if not call.cancelled():
            call.exception()  # else asyncio logs an exception that nobody retrieved

    async def _exchange(self, request: httpx.Request) -> VendorResponse:
        clock = asyncio.get_running_loop().time
        deadline = clock() + self._deadline
        response = await self._client.send(request, auth=self._auth, stream=True)
        try:
            content = bytearray()
            async for chunk in response.aiter_raw():
                content += chunk
                if len(content) > MAX_RESPONSE_BYTES or clock() > deadline:
                    raise ResponseTooLong
        finally:
            await response.aclose()
        return VendorResponse(response.status_code, response.headers, _parse_json(bytes(content)))


def describe_transport_error(error: Exception) -> str:
    """Return why there is no response, in our own words."""
    match error:
        case httpx.ConnectError() if "CERTIFICATE" in str(error):
            return "the TLS certificate is not trusted"
        case httpx.ConnectError():
            return "the connection was refused"
        case httpx.TimeoutException():
            return "there was no response in time"
        case httpx.UnsupportedProtocol():
            return "the URL must begin with https:// or http://"
        case ResponseTooLong():
            return "the response is too long"
    return "the connection was interrupted"


def sanitize(text: str) -> str:
    """Shorten a text from outside to one printable line, without contact details."""
    redacted = redact(text[: 10 * MAX_ERROR_LENGTH])
    printable = "".join(char if char.isprintable() else " " for char in redacted)
    return " ".join(printable.split())[:MAX_ERROR_LENGTH]


def _parse_json(content: bytes) -> Any:
    try:
        return json.loads(content) if content else {}
    except (ValueError, RecursionError):
        return None


def _parse_http_date(text: str) -> datetime | None:
    try:
        date = parsedate_to_datetime(text)
    except ValueError:
        return None
    return date if date.tzinfo else None


def _parse_epoch(text: str) -> datetime | None:
    return datetime.fromtimestamp(int(text), UTC) if _SECONDS.fullmatch(text) else None
