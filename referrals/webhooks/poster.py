"""Send one POST request to a webhook endpoint, which may be slow, broken or malicious."""

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

from referrals.addresses import (
    MAX_ADDRESSES,
    Address,
    AddressNotAllowedError,
    Resolve,
    resolve,
    resolve_allowed,
)
from referrals.clock import Clock, utc_now
from referrals.domain.webhook_retries import DeliveryResponse
from referrals.domain.webhook_signatures import signature_headers, signing_key
from referrals.http_client import describe_transport_error

ATTEMPT_TIMEOUT = timedelta(seconds=15)
"""Limit of one attempt, including DNS and connecting."""
MAX_RETRY_AFTER = timedelta(days=1)
"""Longest delay that is accepted from an endpoint."""
CONTENT_TYPE = "application/cloudevents+json"

_SECONDS = re.compile(r"[0-9]{1,10}", re.ASCII)
_REDIRECTS = range(300, 400)


class Poster:
    """
    Args:
        allow_private: Allow http and addresses of private networks.
        resolve: Resolves host names.
        tls: TLS context; by default it trusts the certificate authorities bundled with the HTTP client.
    """

    def __init__(
        self,
        *,
        allow_private: bool = False,
        resolve: Resolve = resolve,
        clock: Clock = utc_now,
        timeout: timedelta = ATTEMPT_TIMEOUT,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        logging.getLogger("httpx").setLevel(
            logging.WARNING
        )  # httpx logs URLs, which may contain secrets
        self._private = allow_private
        self._resolve = resolve
        self._clock = clock
        self._timeout = timeout.total_seconds()
        self._tls = tls
        self._tls_lock = asyncio.Lock()

    async def check(self, url: str) -> None:
        """Check that a URL may be called. A host name that does not resolve yet is accepted.

        Raises:
            AddressNotAllowedError: a delivery to the URL would be refused.
        """
        try:
            await resolve_allowed(url, private=self._private, resolve=self._resolve)
        except OSError:
            return

    async def post(
        self, url: str, message_id: str, event: Mapping[str, Any], secrets: Sequence[str]
    ) -> DeliveryResponse:
        """Post the CloudEvent, signed with each secret. The body of the response is not read."""
        if not secrets:
            return DeliveryResponse(
                None, "no signing secret is configured: set REFERRALS_WEBHOOK_SECRET"
            )
        body = json.dumps(event, ensure_ascii=False, separators=(",", ":")).encode()
        headers = signature_headers(map(signing_key, secrets), message_id, self._clock(), body)
        await self._tls_context()  # before the timeout starts, which is for the endpoint
        try:
            async with asyncio.timeout(self._timeout):
                addresses = await resolve_allowed(url, private=self._private, resolve=self._resolve)
                return await self._post_to_first(addresses[:MAX_ADDRESSES], url, headers, body)
        except (
            OSError,
            ValueError,
            AddressNotAllowedError,
            httpx.HTTPError,
            httpx.InvalidURL,
        ) as error:
            return DeliveryResponse(None, self._error_message(error))

    async def _tls_context(self) -> ssl.SSLContext:
        """Return the TLS context, which is built once, on first use, in a thread: it takes more than 100 ms."""
        async with self._tls_lock:
            if self._tls is None:
                self._tls = await asyncio.to_thread(httpx.create_ssl_context, trust_env=False)
        return self._tls

    def _error_message(self, error: Exception) -> str:
        match error:
            case AddressNotAllowedError():
                return str(error)
            case TimeoutError():
                return f"no response within {self._timeout:g} s"
            case httpx.HTTPError():
                return describe_transport_error(error)
            case OSError():
                return "the host name could not be resolved"
            case _:
                return "the URL is invalid"

    async def _post_to_first(
        self, addresses: Sequence[Address], url: str, headers: Mapping[str, str], body: bytes
    ) -> DeliveryResponse:
        """Post to the first address that accepts a connection."""
        *others, last = addresses
        for address in others:
            try:
                return await self._post_to(address, url, headers, body)
            except httpx.ConnectError:
                continue
        return await self._post_to(last, url, headers, body)

    async def _post_to(
        self, address: Address, url: str, headers: Mapping[str, str], body: bytes
    ) -> DeliveryResponse:
        # A new client per request, so that host names which share an address do not share a connection.
        original = httpx.URL(url)
        async with httpx.AsyncClient(
            verify=await self._tls_context(),
            timeout=self._timeout,
            follow_redirects=False,
            trust_env=False,
        ) as client:
            request = client.build_request(
                "POST",
                original.copy_with(host=str(address)),
                content=body,
                headers={**headers, "host": original.netloc.decode(), "content-type": CONTENT_TYPE},
                extensions={"sni_hostname": original.raw_host.decode()},
            )
            response = await client.send(request, stream=True)
            await response.aclose()
        return self._to_response(response)

    def _to_response(self, response: httpx.Response) -> DeliveryResponse:
        status = response.status_code
        if response.is_success:
            return DeliveryResponse(status)
        hint = ": redirects are not followed" if status in _REDIRECTS else ""
        delay = _parse_retry_after(response.headers.get("retry-after", ""), self._clock())
        return DeliveryResponse(status, f"answered {status}{hint}", delay)


def _parse_retry_after(text: str, now: datetime) -> timedelta:
    if _SECONDS.fullmatch(text):
        delay = timedelta(seconds=int(text))
    else:
        try:
            date = parsedate_to_datetime(text)
        except ValueError:
            return timedelta(0)
        delay = date.replace(tzinfo=date.tzinfo or UTC) - now
    return max(timedelta(0), min(delay, MAX_RETRY_AFTER))
