"""Call a provider's HTTP API and classify the outcome of each request.

| outcome | request that changes a balance | any other request |
| --- | --- | --- |
| no connection, so nothing was sent | UnavailableError | UnavailableError |
| sent, but the response is missing, incomplete or malformed | OutcomeUnknownError | UnavailableError |
| 408, 5xx | OutcomeUnknownError | UnavailableError |
| 429 | RetryAfterError | RetryAfterError |
| 423, 425, and the vendor's keys for "try again later" | RetryableError | RetryableError |
| 401, 403 | PermanentError `credentials` | PermanentError `credentials` |
| 3xx: following a redirect would leak our credentials | PermanentError `redirect` | PermanentError `redirect` |
| any other 4xx | RequestRejectedError with the vendor's key | RequestRejectedError with the vendor's key |

UnavailableError and OutcomeUnknownError are signs of an outage. After any other response the vendor is up.
"""

import re
from collections.abc import Collection, Mapping
from http import HTTPStatus
from types import MappingProxyType
from typing import Any, TypeVar
from urllib.parse import quote

import httpx
from pydantic import BaseModel, ValidationError

from referrals.domain.failure_causes import FailureCause
from referrals.http_client import NoResponse, RequestNotSent, VendorApi, VendorResponse
from referrals.providers import (
    OutcomeUnknownError,
    PermanentError,
    RetryableError,
    RetryAfterError,
    UnavailableError,
)
from referrals.providers.request_count import add_request

_CREDENTIAL_STATUSES = {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}
_RETRYABLE_STATUSES = {HTTPStatus.LOCKED, HTTPStatus.TOO_EARLY}
_CAUSES_BY_STATUS: Mapping[int, FailureCause] = {
    HTTPStatus.PAYMENT_REQUIRED: FailureCause.PLAN,
    HTTPStatus.NOT_FOUND: FailureCause.SETUP,
    HTTPStatus.METHOD_NOT_ALLOWED: FailureCause.SETUP,
    HTTPStatus.LOCKED: FailureCause.SETUP,
}
_ERROR_KEY = re.compile(r"[a-z][a-z_]{0,63}")
_MESSAGE_FIELDS = ("title", "message", "detail", "details")

ResponseModel = TypeVar("ResponseModel", bound=BaseModel)


class IgnoredBody(BaseModel):
    """Response model for requests of which only the status matters."""


class RequestRejectedError(PermanentError):
    """4xx response, with its status and JSON body, so that a provider can give it a special meaning."""

    def __init__(
        self, status: int, code: str, message: str, cause: FailureCause, body: Any = None
    ) -> None:
        super().__init__(code, message, cause)
        self.status = status
        self.body = body


def path_segment(customer: str) -> str:
    """Return the customer's id, percent-encoded as one path segment.

    Raises:
        PermanentError: `customer` if the id is empty, `.` or `..`, which would change the path.
    """
    if customer in {"", ".", ".."}:
        raise PermanentError(
            "customer",
            'The customer id must not be empty, "." or "..": it is part of a path.',
            FailureCause.CUSTOMER,
        )
    return quote(customer, safe="")


class ProviderApi(VendorApi):
    """HTTP API of one provider.

    Args:
        retryable_codes: Error codes (the vendor's keys, or `http_…`) of requests that may succeed later.
        causes: Causes of the vendor's error codes; for other codes the status decides.
    """

    def __init__(
        self,
        client: httpx.AsyncClient,
        name: str,
        base_url: str,
        credentials: Mapping[str, str],
        auth: httpx.Auth | None = None,
        retryable_codes: Collection[str] = (),
        causes: Mapping[str, FailureCause] = MappingProxyType({}),
    ) -> None:
        super().__init__(client, name, base_url, credentials, auth)
        self._retryable_codes = retryable_codes
        self._causes = causes

    async def send(
        self,
        method: str,
        path: str,
        model: type[ResponseModel],
        *,
        body: Mapping[str, Any] | None = None,
        params: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        changes_balance: bool = False,
    ) -> ResponseModel:
        """Send a request and return the parsed body of a 2xx response.

        Raises:
            UnavailableError, RetryableError, RetryAfterError, RequestRejectedError, PermanentError,
            OutcomeUnknownError: see the table at the top of this module.
        """
        unknown = OutcomeUnknownError if changes_balance else UnavailableError
        add_request()
        try:
            response = await self.call(method, path, body=body, params=params, headers=headers)
        except RequestNotSent as error:
            raise UnavailableError(str(error)) from None
        except NoResponse as error:
            raise unknown(str(error)) from None
        if not response.is_success:
            raise self._error_of(response, unknown)
        try:
            return model.model_validate(response.body)
        except ValidationError:
            message = f"{self.name} answered {response.status} with an undocumented body."
            raise unknown(message) from None

    def _error_of(
        self, response: VendorResponse, unknown: type[OutcomeUnknownError | UnavailableError]
    ) -> Exception:
        status = response.status
        code = _error_key(response.body) or f"http_{status}"
        text = self.sanitize(_error_text(response.body)) or "no message"
        message = f"{self.name} answered {status}: {text}"
        if status == HTTPStatus.TOO_MANY_REQUESTS:
            return RetryAfterError(message, response.retry_after(), FailureCause.PLAN)
        if status in _CREDENTIAL_STATUSES:
            return PermanentError(
                "credentials",
                f"Our credentials were refused; the operator must correct them. {message}",
                FailureCause.CREDENTIALS,
            )
        if status == HTTPStatus.REQUEST_TIMEOUT or status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            return unknown(message)
        if status < HTTPStatus.BAD_REQUEST:
            return PermanentError(
                "redirect",
                f"{self.name} answered {status}; redirects are not followed.",
                FailureCause.SETUP,
            )
        cause = self._causes.get(code) or _CAUSES_BY_STATUS.get(status, FailureCause.OTHER)
        if status in _RETRYABLE_STATUSES or code in self._retryable_codes:
            return RetryableError(message, cause)
        return RequestRejectedError(status, code, message, cause, response.body)


def _error_key(body: Any) -> str | None:
    key = body.get("key") if isinstance(body, dict) else None
    return key if isinstance(key, str) and _ERROR_KEY.fullmatch(key) else None


def _error_text(body: Any) -> str:
    """Join the texts of an error body: Voucherify's, Talon.One's with its `errors`, or RFC 9457's."""
    if not isinstance(body, dict):
        return ""
    errors = body.get("errors")
    parts = [body, *(errors if isinstance(errors, list) else [])]
    texts = [
        part.get(field) for part in parts if isinstance(part, dict) for field in _MESSAGE_FIELDS
    ]
    return "; ".join(text for text in texts if isinstance(text, str) and text)
