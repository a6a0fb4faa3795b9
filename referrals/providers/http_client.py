"""How vendors are called: one bounded request, and what its outcome says about their books.

| outcome | of a call that books | of another |
| --- | --- | --- |
| no connection, so nothing was sent | Retryable | Retryable |
| sent, and no answer, or half of one, or none that can be understood | Ambiguous | Retryable |
| 408, 5xx, whatever its words | Ambiguous | Retryable |
| 429 | RetryAfter | RetryAfter |
| 423, 425, and the vendor's keys that mean "not now" | Retryable | Retryable |
| 401, 403 | Permanent `credentials` | Permanent `credentials` |
| 3xx: a redirect would take our credentials elsewhere | Permanent `redirect` | Permanent `redirect` |
| any other 4xx | Permanent, with the vendor's key | Permanent, with the vendor's key |
"""

import asyncio
import json
import logging
import re
from collections.abc import Collection, Mapping
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Any, TypeVar
from urllib.parse import quote

import httpx
from pydantic import BaseModel, ValidationError

from referrals.clock import utc_now
from referrals.domain.redaction import REMOVED, redact
from referrals.providers import Ambiguous, Permanent, Retryable, RetryAfter

MAX_ANSWER = 4 * 2**20
"""Bytes of an answer; a longer one is not read to its end."""
MAX_WORDS = 300
"""Characters of the vendor's own words in an error."""
DEFAULT_WAIT = timedelta(minutes=1)
"""After a 429 that does not say how long."""
MAX_WAIT = timedelta(days=1)

_NOT_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)
_UNCLEAR = HTTPStatus.REQUEST_TIMEOUT
_CREDENTIALS = {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}
_LATER = {HTTPStatus.LOCKED, HTTPStatus.TOO_EARLY}
_KEY = re.compile(r"[a-z][a-z_]{0,63}")
_SECONDS = re.compile(r"[0-9]{1,10}")
_WORDS = ("title", "message", "detail", "details")

Shape = TypeVar("Shape", bound=BaseModel)


class Nothing(BaseModel):
    """The shape of an answer of which only the status matters."""


class Refusal(Permanent):
    """A 4xx with its status and JSON, which an adapter may know to mean something else."""

    def __init__(self, status: int, code: str, sentence: str, answer: Any = None) -> None:
        super().__init__(code, sentence)
        self.status = status
        self.answer = answer


class Endless(Exception):
    """An answer that is longer, or takes longer, than any should."""


def open_client(connect: float = 5, read: float = 15) -> httpx.AsyncClient:
    """One client for all providers, with time-outs in seconds; whoever opens it closes it.

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


def segment(customer: str) -> str:
    """A customer's id as one segment of a path, whatever characters it has.

    Raises:
        Permanent: `customer`, where it would be read as another path.
    """
    if customer in {"", ".", ".."}:
        raise Permanent(
            "customer", "A customer's id of nothing, or of dots alone, cannot stand in a path."
        )
    return quote(customer, safe="")


class Api:
    """One vendor's HTTP API.

    Args:
        credentials: Headers for every request; what they say is taken out of every error.
        auth: Adds what depends on the request, such as a signature.
        later: Codes, the vendor's or `http_…`, that mean that the same call may succeed later.

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
        later: Collection[str] = (),
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
        self._later = later
        self._deadline = 2 * (client.timeout.read or 0)
        self._calls: set[asyncio.Task[tuple[httpx.Response, bytes]]] = set()

    async def send(
        self,
        method: str,
        path: str,
        shape: type[Shape],
        *,
        body: Mapping[str, Any] | None = None,
        params: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        books: bool = False,
    ) -> Shape:
        """The answer, where its status is 2xx. `books` says that the call changes balances.

        Raises:
            Retryable, RetryAfter, Refusal, Permanent, Ambiguous: by the table above.
        """
        unclear = Ambiguous if books else Retryable
        request = self._client.build_request(
            method,
            self._base_url + path,
            params=params,
            json=body,
            headers={**self._credentials, **(headers or {})},
        )
        try:
            response, content = await self._exchange(request)
        except _NOT_SENT as error:
            raise Retryable(f"{self.name} is not reached: {type(error).__name__}.") from None
        except (httpx.TransportError, Endless) as error:
            raise unclear(f"{self.name} gave no whole answer: {type(error).__name__}.") from None
        answer = _parse(content)
        if not response.is_success:
            raise self._failure(response, answer, unclear)
        try:
            return shape.model_validate(answer)
        except ValidationError:
            raise unclear(
                f"{self.name} answered {response.status_code}, but not as its documents say."
            ) from None

    def clean(self, text: str) -> str:
        """A vendor's words as one short line, without contact details and without our credentials."""
        for secret in {word for value in self._credentials.values() for word in value.split()}:
            text = text.replace(secret, REMOVED)
        words = redact(text[: 10 * MAX_WORDS])
        printable = "".join(char if char.isprintable() else " " for char in words)
        return " ".join(printable.split())[:MAX_WORDS]

    async def _exchange(self, request: httpx.Request) -> tuple[httpx.Response, bytes]:
        """The call goes on to its end when its caller is cancelled: httpx may lose its connection for ever by that."""
        call = asyncio.create_task(self._call(request), name=f"call of {self.name}")
        self._calls.add(call)
        call.add_done_callback(self._ended)
        return await asyncio.shield(call)

    def _ended(self, call: asyncio.Task[tuple[httpx.Response, bytes]]) -> None:
        self._calls.discard(call)
        if not call.cancelled():
            call.exception()  # asyncio would log one that a cancelled caller has not fetched

    async def _call(self, request: httpx.Request) -> tuple[httpx.Response, bytes]:
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
        return response, bytes(content)

    def _failure(
        self, response: httpx.Response, answer: Any, unclear: type[Ambiguous | Retryable]
    ) -> Exception:
        status = response.status_code
        code = _key_of(answer) or f"http_{status}"
        words = f"{self.name} answered {status}: {self.clean(_words_of(answer)) or 'no words'}"
        if status == HTTPStatus.TOO_MANY_REQUESTS:
            return RetryAfter(words, _wait(response.headers))
        if status in _CREDENTIALS:
            return Permanent(
                "credentials",
                f"Our credentials are not good, which the operator must set right. {words}",
            )
        if status == _UNCLEAR or status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            return unclear(words)
        if status < HTTPStatus.BAD_REQUEST:
            return Permanent("redirect", f"{self.name} answered {status}, and is not followed.")
        if status in _LATER or code in self._later:
            return Retryable(words)
        return Refusal(status, code, words, answer)


def _parse(content: bytes) -> Any:
    """The JSON; an empty answer is an empty object, and what is no JSON is None."""
    try:
        return json.loads(content) if content else {}
    except (ValueError, RecursionError):
        return None


def _key_of(answer: Any) -> str | None:
    key = answer.get("key") if isinstance(answer, dict) else None
    return key if isinstance(key, str) and _KEY.fullmatch(key) else None


def _words_of(answer: Any) -> str:
    """The sentences of an error body: Voucherify's, Talon.One's with its `errors`, or RFC 9457's."""
    if not isinstance(answer, dict):
        return ""
    errors = answer.get("errors")
    parts = [answer, *(errors if isinstance(errors, list) else [])]
    texts = [part.get(name) for part in parts if isinstance(part, dict) for name in _WORDS]
    return "; ".join(text for text in texts if isinstance(text, str) and text)


def _wait(headers: httpx.Headers) -> timedelta:
    """How long the vendor wishes not to be called: `Retry-After`, or Voucherify's `X-Rate-Limit-Retry`."""
    asked = headers.get("Retry-After", "")
    if _SECONDS.fullmatch(asked):
        wait = timedelta(seconds=int(asked))
    elif until := _moment(asked) or _epoch(headers.get("X-Rate-Limit-Retry", "")):
        wait = until - (_moment(headers.get("Date", "")) or utc_now())
    else:
        wait = DEFAULT_WAIT
    return max(timedelta(seconds=1), min(wait, MAX_WAIT))


def _moment(text: str) -> datetime | None:
    try:
        moment = parsedate_to_datetime(text)
    except ValueError:
        return None
    return moment if moment.tzinfo else None


def _epoch(text: str) -> datetime | None:
    return datetime.fromtimestamp(int(text), UTC) if _SECONDS.fullmatch(text) else None
