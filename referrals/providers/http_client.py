"""What the outcome of a call says about a vendor's books.

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

import re
from collections.abc import Collection, Mapping
from http import HTTPStatus
from typing import Any, TypeVar
from urllib.parse import quote

import httpx
from pydantic import BaseModel, ValidationError

from referrals.http_client import Answer, NoAnswer, NotSent, VendorApi
from referrals.providers import Ambiguous, Permanent, Retryable, RetryAfter

_UNCLEAR = HTTPStatus.REQUEST_TIMEOUT
_CREDENTIALS = {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}
_LATER = {HTTPStatus.LOCKED, HTTPStatus.TOO_EARLY}
_KEY = re.compile(r"[a-z][a-z_]{0,63}")
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


class Api(VendorApi):
    """One vendor's HTTP API.

    Args:
        later: Codes, the vendor's or `http_…`, that mean that the same call may succeed later.
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
        super().__init__(client, name, base_url, credentials, auth)
        self._later = later

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
        try:
            answer = await self.call(method, path, body=body, params=params, headers=headers)
        except NotSent as error:
            raise Retryable(str(error)) from None
        except NoAnswer as error:
            raise unclear(str(error)) from None
        if not answer.is_success:
            raise self._failure(answer, unclear)
        try:
            return shape.model_validate(answer.body)
        except ValidationError:
            raise unclear(
                f"{self.name} answered {answer.status}, but not as its documents say."
            ) from None

    def _failure(self, answer: Answer, unclear: type[Ambiguous | Retryable]) -> Exception:
        status = answer.status
        code = _key_of(answer.body) or f"http_{status}"
        words = f"{self.name} answered {status}: {self.clean(_words_of(answer.body)) or 'no words'}"
        if status == HTTPStatus.TOO_MANY_REQUESTS:
            return RetryAfter(words, answer.wait())
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
        return Refusal(status, code, words, answer.body)


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
