"""Reading what is sent: so much and no more, of a kind that is known, and JSON without ambiguities."""

import asyncio
import json
from collections.abc import Callable, Coroutine
from difflib import get_close_matches
from math import isfinite
from typing import Any, NoReturn

from fastapi import Request, Response
from fastapi.dependencies.utils import get_flat_params
from fastapi.params import Query
from fastapi.routing import APIRoute
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from referrals.errors import FieldError, Problem
from referrals.store import api_keys

MOST_BYTES = 4 * 1024 * 1024
MOST_DIGITS = 100


class BodyLimit:
    """Stops a request whose body is too large before it is read, or when it turns out to be."""

    def __init__(self, app: ASGIApp, most: int = MOST_BYTES) -> None:
        self.app = app
        self.most = most

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            receive = self._limited(receive, Headers(scope=scope).get("content-length", ""))
        await self.app(scope, receive, send)

    def _limited(self, receive: Receive, declared: str) -> Receive:
        size = 0

        async def limited() -> Message:
            nonlocal size
            if declared.isdecimal() and int(declared[:20]) > self.most:
                raise self._too_large()
            message = await receive()
            size += len(message.get("body", b""))
            if size > self.most:
                raise self._too_large()
            return message

        return limited

    def _too_large(self) -> Problem:
        detail = f"The body has more than {self.most} bytes."
        return Problem("body-too-large", "The body is too large", 413, detail)


class Route(APIRoute):
    """A route that asks for a key first, knows its parameters, and reads its body, if it has one, as strict JSON."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = super().get_route_handler()
        fields = get_flat_params(self.dependant)
        known = [field.alias for field in fields if isinstance(field.field_info, Query)]

        async def handler(request: Request) -> Response:
            request.state.caller = await _authorised(request)
            _check_parameters(request, known)
            try:
                return await handle(await _strict(request) if self.body_field else request)
            except (
                asyncio.CancelledError
            ):  # the server has been asked to stop, and can wait no longer
                raise Problem("stopping", "Stopping", 503, "Send the request again.") from None

        return handler


def _check_parameters(request: Request, known: list[str]) -> None:
    """A misspelt filter, if it were left out, would let a command do to all what it is to do to a few."""
    errors = tuple(
        FieldError(name, f"is not a parameter here{_instead(name, known)}")
        for name in request.query_params
        if name not in known
    )
    if errors:
        told = "; ".join(f"{error.field}: {error.message}" for error in errors)
        raise Problem("invalid-request", "The request cannot be understood", 422, told, errors)


def _instead(name: str, known: list[str]) -> str:
    near = get_close_matches(name, known, n=1)
    return f"; did you mean {near[0]}?" if near else ""


class StrictRequest(Request):
    """A request whose JSON has been read."""

    parsed: Any = None

    async def json(self) -> Any:
        return self.parsed


async def _authorised(request: Request) -> str:
    scheme, _, key = request.headers.get("authorization", "").partition(" ")
    name = None
    if scheme.lower() == "bearer":
        name = await api_keys.check(request.app.state.resources.store, key.strip())
    if name is None:
        detail = "Send a valid key as `Authorization: Bearer KEY`."
        raise Problem("unauthorised", "Unauthorised", 401, detail)
    return name


async def _strict(request: Request) -> Request:
    strict = StrictRequest(request.scope, request.receive)
    if body := await strict.body():
        if not is_json(content_type(request)):
            raise unsupported(request, "application/json")
        strict.parsed = parse_json(body)
    return strict


def content_type(request: Request) -> str:
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()


def is_json(media_type: str) -> bool:
    return media_type == "application/json" or (
        media_type.startswith("application/") and media_type.endswith("+json")
    )


def unsupported(request: Request, wanted: str) -> Problem:
    given = content_type(request)[:100] or "none"
    detail = f"The content type must be {wanted}, but is {given}."
    return Problem("unsupported-media-type", "Unsupported media type", 415, detail)


def decode(body: bytes) -> str:
    """The body as text. Raises Problem."""
    try:
        return body.decode()
    except UnicodeDecodeError as error:
        raise malformed(f"The body is not UTF-8 at byte {error.start + 1}.") from error


def parse_json(body: bytes) -> Any:
    """The value of a JSON text as RFC 8259 has it, with unique keys and finite numbers. Raises Problem."""
    try:
        return json.loads(
            decode(body),
            parse_constant=_no_number,
            parse_float=_finite,
            parse_int=_short,
            object_pairs_hook=_unique,
        )
    except json.JSONDecodeError as error:
        where = f"line {error.lineno}, column {error.colno}"
        raise malformed(f"The body is not JSON: {where}: {error.msg}.") from error
    except RecursionError as error:
        raise malformed("The body is nested too deeply.") from error
    except ValueError as error:
        raise malformed(f"The body is not JSON: {error}.") from error


def malformed(detail: str) -> Problem:
    return Problem("malformed-body", "The body cannot be read", 400, detail)


def _no_number(name: str) -> NoReturn:
    raise ValueError(f"{name} is no number of JSON")


def _finite(text: str) -> float:
    number = float(text)
    if not isfinite(number):
        raise ValueError("a number is too large")
    return number


def _short(text: str) -> int:
    if len(text) > MOST_DIGITS:
        raise ValueError(f"a number has more than {MOST_DIGITS} digits")
    return int(text)


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"the key {twice[:100]!r} is there twice")
    return found
