"""Whatever a request is refused for, as an RFC 9457 problem document."""

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import ValidationError
from pydantic_core import ErrorDetails
from starlette.exceptions import HTTPException

from entrypoints.api import contract
from referrals.campaign_file import CampaignError
from referrals.domain.validation_messages import field_path, validation_message
from referrals.errors import FieldError, Problem
from referrals.store.inbox.inbox_events import EventIdReused
from referrals.store.views import with_zulu_times

PREFIX = "urn:referrals:problem:"
MOST_ERRORS = 50
MOST_CHARACTERS = 300
WHOLE = "body"
"""The field at fault where it is no single one."""

DOCUMENTED: dict[int | str, dict[str, Any]] = {"4XX": contract.problem("A problem (RFC 9457).")}
"""For the OpenAPI of every route."""


class Json(JSONResponse):
    """JSON in ASCII: halves of characters, which an error may quote, have no UTF-8."""

    def render(self, content: Any) -> bytes:
        told = with_zulu_times(content)
        return json.dumps(told, separators=(",", ":"), default=str).encode("ascii")


class ProblemResponse(Json):
    media_type = contract.PROBLEM_TYPE


def install(app: FastAPI) -> None:
    """Answer every error with a problem document."""
    for kind in (
        Problem,
        CampaignError,
        RequestValidationError,
        ValidationError,
        EventIdReused,
        HTTPException,
        Exception,
    ):
        app.add_exception_handler(kind, _answer)


async def _answer(_: Request, error: Exception) -> Response:
    problem = problem_of(error)
    headers = dict(getattr(error, "headers", None) or {})
    if problem.status == 401:  # noqa: PLR2004
        headers["www-authenticate"] = 'Bearer realm="referrals"'
    return ProblemResponse(document(problem), problem.status, headers)


def document(problem: Problem) -> dict[str, Any]:
    found: dict[str, Any] = {
        "type": PREFIX + problem.type,
        "title": problem.title,
        "status": problem.status,
        "detail": problem.detail,
    }
    if problem.errors:
        found["errors"] = [_fault(error) for error in problem.errors[:MOST_ERRORS]]
    return found


def _fault(error: FieldError) -> dict[str, Any]:
    fault = {
        "field": error.field[:MOST_CHARACTERS],
        "message": error.message[:MOST_CHARACTERS],
    }
    return fault | ({"line": error.line} if error.line else {})


def problem_of(error: Exception) -> Problem:
    """The problem that an exception stands for."""
    match error:
        case Problem():
            return error
        case CampaignError():
            faults = [FieldError(p.field or WHOLE, p.message, p.line) for p in error.problems]
            return _invalid("campaign", faults)
        case RequestValidationError():
            return _invalid("request", _faults(error.errors(), skip=1))
        case ValidationError():
            return _invalid("event", _faults(error.errors(include_url=False)))
        case EventIdReused():
            fault = FieldError("id", "stands for another event already")
            return Problem("event-id-reused", "The id is taken", 409, _sentence([fault]), (fault,))
        case _:
            return _status_of(error)


def _status_of(error: Exception) -> Problem:
    if isinstance(error, HTTPException):
        title = str(error.detail)
        return Problem(title.lower().replace(" ", "-"), title, error.status_code, f"{title}.")
    detail = "Something went wrong here; it has been logged."
    return Problem("internal", "Internal error", 500, detail)


def _invalid(what: str, faults: Sequence[FieldError]) -> Problem:
    return Problem(
        f"invalid-{what}",
        f"The {what} cannot be understood",
        422,
        _sentence(faults),
        tuple(faults),
    )


def _sentence(faults: Sequence[FieldError]) -> str:
    first = faults[0]
    more = f" (and {len(faults) - 1} more)" if len(faults) > 1 else ""
    return f"{first.field[:MOST_CHARACTERS]}: {first.message[:MOST_CHARACTERS]}{more}"


def _faults(
    errors: Iterable[ErrorDetails | Mapping[str, Any]], *, skip: int = 0
) -> list[FieldError]:
    return [
        FieldError(field_path(error["loc"][skip:]) or WHOLE, validation_message(error))
        for error in errors
    ]
