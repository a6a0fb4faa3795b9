"""One POST to somebody else's endpoint, which may be slow, broken or hostile."""

import asyncio
import json
import logging
import re
import ssl
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any

import httpx

from referrals.clock import Clock, utc_now
from referrals.domain.webhook_retries import DeliveryResponse
from referrals.domain.webhook_signatures import signature_headers, signing_key
from referrals.webhooks.addresses import Address, AddressNotAllowedError, Resolve, allowed, resolve

TIMEOUT = timedelta(seconds=15)
"""For the whole of one attempt."""
MAX_WAIT = timedelta(days=1)
"""The most that a `Retry-After` is believed."""
MOST_ADDRESSES = 3
CONTENT_TYPE = "application/cloudevents+json"

_SECONDS = re.compile(r"[0-9]{1,10}", re.ASCII)
_REDIRECTS = range(300, 400)


class Poster:
    """
    Args:
        allow_private: Whether http and addresses of private networks may be called.
        resolve: Where names are looked up.
        tls: Whom to trust; by default the certificate authorities that come with the HTTP client.
    """

    def __init__(
        self,
        *,
        allow_private: bool = False,
        resolve: Resolve = resolve,
        clock: Clock = utc_now,
        timeout: timedelta = TIMEOUT,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        logging.getLogger("httpx").setLevel(logging.WARNING)  # it logs URLs, which may hold secrets
        self._private = allow_private
        self._resolve = resolve
        self._clock = clock
        self._timeout = timeout.total_seconds()
        self._tls = tls
        self._tls_lock = asyncio.Lock()

    async def check(self, url: str) -> None:
        """Raises AddressNotAllowedError for an address that would not be called; a name that is not known yet may be."""
        try:
            await allowed(url, private=self._private, resolve=self._resolve)
        except OSError:
            return

    async def post(
        self, url: str, message: str, event: Mapping[str, Any], secrets: Sequence[str]
    ) -> DeliveryResponse:
        """Post the CloudEvent, signed by each of the secrets. Of the answer only status and headers are read."""
        if not secrets:
            return DeliveryResponse(
                None, "there is no secret to sign by: set REFERRALS_WEBHOOK_SECRET"
            )
        body = json.dumps(event, ensure_ascii=False, separators=(",", ":")).encode()
        headers = signature_headers(map(signing_key, secrets), message, self._clock(), body)
        await self._tls_context()  # outside the timeout, because it is the endpoint's
        try:
            async with asyncio.timeout(self._timeout):
                found = await allowed(url, private=self._private, resolve=self._resolve)
                return await self._first(found[:MOST_ADDRESSES], url, headers, body)
        except (
            OSError,
            ValueError,
            AddressNotAllowedError,
            httpx.HTTPError,
            httpx.InvalidURL,
        ) as error:
            return DeliveryResponse(None, self._words(error))

    async def _tls_context(self) -> ssl.SSLContext:
        """Return the TLS context, which is built once, on first use, in a thread: it takes more than 100 ms."""
        async with self._tls_lock:
            if self._tls is None:
                self._tls = await asyncio.to_thread(httpx.create_ssl_context, trust_env=False)
        return self._tls

    def _words(self, error: Exception) -> str:
        match error:
            case AddressNotAllowedError():
                return str(error)
            case TimeoutError():
                return f"no answer within {self._timeout:g} s"
            case httpx.HTTPError():
                return f"no answer: {type(error).__name__}"
            case OSError():
                return "the host's name is not known"
            case _:
                return "the address cannot be used"

    async def _first(
        self, addresses: Sequence[Address], url: str, headers: Mapping[str, str], body: bytes
    ) -> DeliveryResponse:
        """From the first address that takes a connection."""
        *others, last = addresses
        for address in others:
            try:
                return await self._exchange(address, url, headers, body)
            except httpx.ConnectError:
                continue
        return await self._exchange(last, url, headers, body)

    async def _exchange(
        self, address: Address, url: str, headers: Mapping[str, str], body: bytes
    ) -> DeliveryResponse:
        # A client for each call: its connection is no one else's, whatever name led to the same address.
        named = httpx.URL(url)
        async with httpx.AsyncClient(
            verify=await self._tls_context(),
            timeout=self._timeout,
            follow_redirects=False,
            trust_env=False,
        ) as client:
            request = client.build_request(
                "POST",
                named.copy_with(host=str(address)),
                content=body,
                headers={**headers, "host": named.netloc.decode(), "content-type": CONTENT_TYPE},
                extensions={"sni_hostname": named.raw_host.decode()},
            )
            response = await client.send(request, stream=True)
            await response.aclose()
        return self._answer(response)

    def _answer(self, response: httpx.Response) -> DeliveryResponse:
        status = response.status_code
        if response.is_success:
            return DeliveryResponse(status)
        followed = ": redirects are not followed" if status in _REDIRECTS else ""
        wished = _retry_after(response.headers.get("retry-after", ""), self._clock())
        return DeliveryResponse(status, f"answered {status}{followed}", wished)


def _retry_after(text: str, now: datetime) -> timedelta:
    if _SECONDS.fullmatch(text):
        wished = timedelta(seconds=int(text))
    else:
        try:
            moment = parsedate_to_datetime(text)
        except ValueError:
            return timedelta(0)
        wished = moment.replace(tzinfo=moment.tzinfo or UTC) - now
    return max(timedelta(0), min(wished, MAX_WAIT))
