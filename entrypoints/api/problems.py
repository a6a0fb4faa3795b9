"""Every error as an RFC 9457 problem document. Each cause has one stable type (`docs/errors.md`)."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException
from starlette.routing import Match

from entrypoints.api import http_errors, openapi
from referrals import errors
from referrals.domain.validation_messages import field_path, validation_message
from referrals.errors import FieldError, ReferralsError
from referrals.store.views import with_zulu_times

PREFIX = "urn:referrals:problem:"
MAX_ERRORS = 50
MAX_TEXT_LENGTH = 300
WHOLE_BODY = "body"
"""Field of an error that concerns the whole body."""


@dataclass(frozen=True)
class ProblemType:
    """Stable name of a cause, its HTTP status, and a title for people."""

    name: str
    status: int
    title: str


PROBLEM_TYPES: Mapping[type[ReferralsError], ProblemType] = {
    errors.CampaignError: ProblemType("invalid-campaign", 422, "Invalid campaign"),
    errors.InvalidBatchError: ProblemType("invalid-batch", 422, "Invalid batch"),
    errors.InvalidEventError: ProblemType("invalid-event", 422, "Invalid event"),
    errors.InvalidRequestError: ProblemType("invalid-request", 422, "Invalid request"),
    errors.UnknownAdvocateError: ProblemType("unknown-advocate", 404, "Unknown advocate"),
    errors.UnknownBlockError: ProblemType("unknown-block", 404, "Unknown block"),
    errors.UnknownCampaignError: ProblemType("unknown-campaign", 404, "Unknown campaign"),
    errors.UnknownCodeError: ProblemType("unknown-code", 404, "Unknown code"),
    errors.UnknownCouponError: ProblemType("unknown-coupon", 404, "Unknown coupon"),
    errors.UnknownCustomerError: ProblemType("unknown-customer", 404, "Unknown customer"),
    errors.UnknownDeliveryError: ProblemType("unknown-delivery", 404, "Unknown delivery"),
    errors.UnknownMessageError: ProblemType("unknown-message", 404, "Unknown message"),
    errors.UnknownRedemptionError: ProblemType("unknown-redemption", 404, "Unknown redemption"),
    errors.UnknownReferralError: ProblemType("unknown-referral", 404, "Unknown referral"),
    errors.UnknownRewardError: ProblemType("unknown-reward", 404, "Unknown reward"),
    errors.UnknownSuppressionError: ProblemType("unknown-suppression", 404, "Unknown suppression"),
    errors.UnknownTrackedEventError: ProblemType(
        "unknown-tracked-event", 404, "Unknown tracked event"
    ),
    errors.UnknownVersionError: ProblemType("unknown-version", 404, "Unknown version"),
    errors.UnknownWebhookError: ProblemType("unknown-webhook", 404, "Unknown webhook"),
    errors.UnknownWorkflowStartError: ProblemType(
        "unknown-workflow-start", 404, "Unknown workflow start"
    ),
    errors.CampaignArchivedError: ProblemType("campaign-archived", 409, "Campaign archived"),
    errors.CampaignEditError: ProblemType("campaign-edit-refused", 409, "Edit refused"),
    errors.CampaignInUseError: ProblemType("campaign-in-use", 409, "Campaign in use"),
    errors.CouponNotRedeemableError: ProblemType(
        "coupon-not-redeemable", 409, "Coupon not redeemable"
    ),
    errors.EventIdReusedError: ProblemType("event-id-reused", 409, "Event id reused"),
    errors.IdempotencyKeyReusedError: ProblemType("key-reused", 409, "Idempotency key reused"),
    errors.InsufficientBalanceError: ProblemType(
        "insufficient-balance", 409, "Insufficient balance"
    ),
    errors.NotPossibleError: ProblemType("not-possible", 409, "Not possible"),
    errors.NotPublishedError: ProblemType("not-published", 409, "Code not published"),
    http_errors.BodyTooLargeError: ProblemType("body-too-large", 413, "Body too large"),
    http_errors.InvalidSignatureError: ProblemType("not-from-whatsapp", 403, "Not from WhatsApp"),
    http_errors.MalformedBodyError: ProblemType("malformed-body", 400, "Malformed body"),
    http_errors.NotReadyError: ProblemType("not-ready", 503, "Not ready"),
    http_errors.ShuttingDownError: ProblemType("stopping", 503, "Shutting down"),
    http_errors.UnauthorisedError: ProblemType("unauthorised", 401, "Unauthorised"),
    http_errors.UnsignedCallbackError: ProblemType("invalid-signature", 403, "Invalid signature"),
    http_errors.UnsupportedMediaTypeError: ProblemType(
        "unsupported-media-type", 415, "Unsupported media type"
    ),
}
"""Problem type of each error that a request can end with."""

_TITLES = {problem.name: problem.title for problem in PROBLEM_TYPES.values()}

ROUTING_PROBLEMS: Mapping[int, tuple[ProblemType, str]] = {
    400: (PROBLEM_TYPES[http_errors.MalformedBodyError], "The request cannot be read."),
    404: (ProblemType("unknown-route", 404, "Unknown route"), "There is no such route."),
    405: (
        ProblemType("method-not-allowed", 405, "Method not allowed"),
        "The header `Allow` lists the methods of this route.",
    ),
}
"""Problem type and detail by the status that the web framework answers with."""

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE")
SAFE_METHODS = ("GET", "HEAD", "OPTIONS")
INTERNAL = ProblemType("internal", 500, "Internal error")


@dataclass(frozen=True)
class Problem:
    """One occurrence of a problem type."""

    type: ProblemType
    detail: str
    errors: Sequence[FieldError] = ()

    @property
    def status(self) -> int:
        return self.type.status

    def document(self) -> dict[str, Any]:
        document: dict[str, Any] = {
            "type": PREFIX + self.type.name,
            "title": self.type.title,
            "status": self.type.status,
            "detail": self.detail,
        }
        if self.errors:
            document["errors"] = [_field_error(error) for error in self.errors[:MAX_ERRORS]]
        return document


def problems(*kinds: type[ReferralsError]) -> dict[int | str, dict[str, Any]]:
    """Return the OpenAPI responses of a route that can end with these errors."""
    found: dict[int | str, list[str]] = {}
    for kind in kinds:
        found.setdefault(PROBLEM_TYPES[kind].status, []).append(PROBLEM_TYPES[kind].name)
    return {status: problem_response(names) for status, names in found.items()}


def problem_response(names: Sequence[str]) -> dict[str, Any]:
    """Return the OpenAPI response of problems of these types."""
    return {
        "description": " or ".join(f"{_TITLES[name]} (`{name}`)" for name in names) + ".",
        "content": {openapi.PROBLEM_TYPE: {"schema": openapi.PROBLEM}},
        "x-problem-types": list(names),
    }


class Json(JSONResponse):
    """JSON in ASCII: unpaired surrogates, which an error may quote, have no UTF-8 encoding."""

    def render(self, content: Any) -> bytes:
        payload = with_zulu_times(content)
        return json.dumps(payload, separators=(",", ":"), default=str).encode("ascii")


class ProblemResponse(Json):
    media_type = openapi.PROBLEM_TYPE


def install(app: FastAPI) -> None:
    """Answer every error with a problem document."""
    for kind in (ReferralsError, RequestValidationError, HTTPException, Exception):
        app.add_exception_handler(kind, _respond)


async def _respond(request: Request, error: Exception) -> Response:
    problem = problem_of(error)
    _count_refusal(request, problem)
    given = getattr(error, "headers", None) or {}
    headers = {name.lower(): value for name, value in given.items()}
    if problem.status == 401:  # noqa: PLR2004
        headers["www-authenticate"] = 'Bearer realm="referrals"'
    if problem.status == 405:  # noqa: PLR2004
        headers["allow"] = ", ".join(_allowed_methods(request))
    return ProblemResponse(problem.document(), problem.status, headers)


def _allowed_methods(request: Request) -> list[str]:
    """Return the methods of all routes with this path; the web framework names those of one."""
    scope = {key: value for key, value in request.scope.items() if key != "fastapi"}
    return [
        method
        for method in METHODS
        if any(
            route.matches({**scope, "method": method})[0] is Match.FULL
            for route in request.app.routes
        )
    ]


def _count_refusal(request: Request, problem: Problem) -> None:
    """Count a refused request that would have changed something. Without a valid key there is no caller."""
    caller = getattr(request.state, "caller", None)
    if caller and request.method not in SAFE_METHODS and problem.status < 500:  # noqa: PLR2004
        source = getattr(request.state, "event_source", None)
        request.state.resources.refusals.count(caller, source, problem)


def problem_of(error: Exception) -> Problem:
    """Return the problem that an exception is answered with."""
    if isinstance(error, RequestValidationError):
        error = errors.InvalidRequestError(_request_errors(error))
    if isinstance(error, HTTPException) and error.status_code in ROUTING_PROBLEMS:
        return Problem(*ROUTING_PROBLEMS[error.status_code])
    for kind in type(error).__mro__:
        if kind in PROBLEM_TYPES:
            return _problem(PROBLEM_TYPES[kind], error)
    return Problem(INTERNAL, "An unexpected error occurred. It has been logged.")


def _problem(problem_type: ProblemType, error: Exception) -> Problem:
    field_errors = [
        FieldError(item.field or WHOLE_BODY, item.message, item.line)
        for item in getattr(error, "errors", ())
    ]
    is_invalid = isinstance(error, errors.InvalidInputError)
    return Problem(problem_type, _summary(field_errors) if is_invalid else str(error), field_errors)


def _summary(field_errors: Sequence[FieldError]) -> str:
    first = _field_error(field_errors[0])
    more = f" (and {len(field_errors) - 1} more)" if len(field_errors) > 1 else ""
    return f"{first['field']}: {first['message']}{more}"


def _field_error(error: FieldError) -> dict[str, Any]:
    found = {"field": error.field[:MAX_TEXT_LENGTH], "message": error.message[:MAX_TEXT_LENGTH]}
    return found | ({"line": error.line} if error.line else {})


def _request_errors(error: RequestValidationError) -> list[FieldError]:
    """Return the errors of a request. Their locations start with `body`, `query` or `path`, which is left out."""
    return [
        FieldError(field_path(item["loc"][1:]), validation_message(item)) for item in error.errors()
    ]
