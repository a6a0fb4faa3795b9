"""How vendors are called: one bounded request, of which it is known whether it was sent."""

import asyncio
import json
import logging
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any

import httpx

from referrals.clock import utc_now
from referrals.domain.contact_redaction import REMOVED, redact

MAX_ANSWER = 4 * 2**20
"""Bytes of an answer; a longer one is not read to its end."""
MAX_WORDS = 300
"""Characters of the vendor's own words in an error."""
DEFAULT_WAIT = timedelta(minutes=1)
"""After a 429 that does not say how long."""
MAX_WAIT = timedelta(days=1)

_NOT_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)
_SECONDS = re.compile(r"[0-9]{1,10}")


class NotSent(Exception):
    """There was no connection."""


class NoAnswer(Exception):
    """It was sent, and there was no whole answer: it may have been done."""


class Endless(Exception):
    """An answer that is longer, or takes longer, than any should."""


@dataclass(frozen=True)
class Answer:
    """`body` is the JSON: of an empty answer an empty object, of what is no JSON None."""

    status: int
    headers: httpx.Headers
    body: Any

    @property
    def is_success(self) -> bool:
        return httpx.codes.is_success(self.status)

    def wait(self) -> timedelta:
        """How long the vendor wishes not to be called: `Retry-After`, or Voucherify's `X-Rate-Limit-Retry`."""
        asked = self.headers.get("Retry-After", "")
        if _SECONDS.fullmatch(asked):
            wait = timedelta(seconds=int(asked))
        elif until := _moment(asked) or _epoch(self.headers.get("X-Rate-Limit-Retry", "")):
            wait = until - (_moment(self.headers.get("Date", "")) or utc_now())
        else:
            wait = DEFAULT_WAIT
        return max(timedelta(seconds=1), min(wait, MAX_WAIT))


def open_client(connect: float = 5, read: float = 15) -> httpx.AsyncClient:
    """A client for any number of vendors, with time-outs in seconds; whoever opens it closes it.

    A connection is waited for no longer than for its making, and an answer must be complete in twice the time that
    each part of it has. Proxies and credentials in the environment are not used.
    """
    logging.getLogger("httpx").setLevel(logging.WARNING)  # it logs URLs, which hold customers' ids
    return httpx.AsyncClient(
        timeout=httpx.Timeout(read, connect=connect, pool=connect),
        limits=httpx.Limits(max_connections=50, max_keepalive_connections=20),
        headers={"Accept": "application/json", "Accept-Encoding": "identity"},
        follow_redirects=False,
        trust_env=False,
    )


class VendorApi:
    """Calls one vendor.

    Args:
        credentials: Headers for every request; what they say is taken out of every error.
        auth: Adds what depends on the request, such as a signature.

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
            raise ValueError(f"the base URL of {name} must be like https://api.example.com")
        self.name = name
        self.host = url.netloc.decode()
        self._client = client
        self._base_url = base_url.rstrip("/")
        self._credentials = credentials
        self._auth = auth
        self._deadline = 2 * (client.timeout.read or 0)
        self._calls: set[asyncio.Task[Answer]] = set()

    async def call(
        self,
        method: str,
        path: str,
        *,
        body: Mapping[str, Any] | None = None,
        params: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """The answer, whatever it says. It goes on to its end when its caller is cancelled: httpx may lose the
        connection for ever by that.

        Raises:
            NotSent, NoAnswer: see there.
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
        call.add_done_callback(self._ended)
        try:
            return await asyncio.shield(call)
        except _NOT_SENT as error:
            raise NotSent(f"{self.name} is not reached: {type(error).__name__}.") from None
        except (httpx.TransportError, Endless) as error:
            raise NoAnswer(f"{self.name} gave no whole answer: {type(error).__name__}.") from None

    def clean(self, text: str) -> str:
        """A vendor's words as one short line, without contact details and without our credentials."""
        for secret in {word for value in self._credentials.values() for word in value.split()}:
            text = text.replace(secret, REMOVED)
        return clean(text)

    def _ended(self, call: asyncio.Task[Answer]) -> None:
        self._calls.discard(call)
        if not call.cancelled():
            call.exception()  # asyncio would log one that a cancelled caller has not fetched

    async def _exchange(self, request: httpx.Request) -> Answer:
        clock = asyncio.get_running_loop().time
        deadline = clock() + self._deadline
        response = await self._client.send(request, auth=self._auth, stream=True)
        try:
            content = bytearray()
            async for chunk in response.aiter_raw():
                content += chunk
                if len(content) > MAX_ANSWER or clock() > deadline:
                    raise Endless
        finally:
            await response.aclose()
        return Answer(response.status_code, response.headers, _parse(bytes(content)))


def clean(text: str) -> str:
    """Somebody else's words as one short line, without contact details."""
    words = redact(text[: 10 * MAX_WORDS])
    printable = "".join(char if char.isprintable() else " " for char in words)
    return " ".join(printable.split())[:MAX_WORDS]


def _parse(content: bytes) -> Any:
    try:
        return json.loads(content) if content else {}
    except (ValueError, RecursionError):
        return None


def _moment(text: str) -> datetime | None:
    try:
        moment = parsedate_to_datetime(text)
    except ValueError:
        return None
    return moment if moment.tzinfo else None


def _epoch(text: str) -> datetime | None:
    return datetime.fromtimestamp(int(text), UTC) if _SECONDS.fullmatch(text) else None
