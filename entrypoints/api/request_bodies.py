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

from entrypoints.api.http_errors import (
    BodyTooLargeError,
    MalformedBodyError,
    ShuttingDownError,
    UnauthorisedError,
    UnsupportedMediaTypeError,
)
from referrals.errors import FieldError, InvalidRequestError
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
                raise BodyTooLargeError(self.most)
            message = await receive()
            size += len(message.get("body", b""))
            if size > self.most:
                raise BodyTooLargeError(self.most)
            return message

        return limited


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
            except asyncio.CancelledError:  # the shutdown timeout is over
                raise ShuttingDownError from None

        return handler


def _check_parameters(request: Request, known: list[str]) -> None:
    """Refuse unknown parameters: without a misspelt filter, a command would change more than it should."""
    errors = tuple(
        FieldError(name, f"unknown parameter{_suggestion(name, known)}")
        for name in request.query_params
        if name not in known
    )
    if errors:
        raise InvalidRequestError(errors)


def _suggestion(name: str, known: list[str]) -> str:
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
        raise UnauthorisedError
    return name


async def _strict(request: Request) -> Request:
    strict = StrictRequest(request.scope, request.receive)
    if body := await strict.body():
        if not is_json(content_type(request)):
            raise UnsupportedMediaTypeError(content_type(request), "application/json")
        strict.parsed = parse_json(body)
    return strict


def content_type(request: Request) -> str:
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()


def is_json(media_type: str) -> bool:
    return media_type == "application/json" or (
        media_type.startswith("application/") and media_type.endswith("+json")
    )


def decode(body: bytes) -> str:
    """Decode the body as UTF-8. Raises MalformedBodyError."""
    try:
        return body.decode()
    except UnicodeDecodeError as error:
        raise MalformedBodyError(f"The body is not UTF-8 at byte {error.start + 1}.") from error


def parse_json(body: bytes) -> Any:
    """Parse JSON (RFC 8259) with unique keys and finite numbers. Raises MalformedBodyError."""
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
        raise MalformedBodyError(f"The body is not JSON: {where}: {error.msg}.") from error
    except RecursionError as error:
        raise MalformedBodyError("The body is nested too deeply.") from error
    except ValueError as error:
        raise MalformedBodyError(f"The body is not JSON: {error}.") from error


def _no_number(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a JSON number")


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
        raise ValueError(f"the key {twice[:100]!r} is duplicated")
    return found
