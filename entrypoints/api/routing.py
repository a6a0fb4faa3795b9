"""Routes of the API: each checks the key, refuses unknown parameters, and reads its body as strict JSON."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any
from urllib.parse import quote, unquote

from fastapi import Request, Response
from fastapi.dependencies.utils import get_flat_params
from fastapi.params import Query
from fastapi.routing import APIRoute
from starlette.routing import Match
from starlette.types import ASGIApp, Receive, Scope, Send

from entrypoints.api.http_errors import (
    ShuttingDownError,
    UnauthorisedError,
    UnsupportedMediaTypeError,
)
from entrypoints.api.request_bodies import content_type, is_json, parse_json
from referrals.domain.suggestions import did_you_mean
from referrals.errors import FieldError, InvalidRequestError
from referrals.store import api_keys

_ENCODED = "referrals.path_is_encoded"


class EncodedSlashes:
    """Middleware that tells a slash inside of an id (`%2F`) from those between the segments of a path."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        raw = scope.get("raw_path") or b""
        if raw.startswith(b"/v1/") and b"%2f" in raw.lower():
            segments = raw.decode("ascii", "replace").split("/")
            path = "/".join(quote(unquote(segment), safe="") for segment in segments)
            scope = {**scope, "path": path, _ENCODED: True}
        await self.app(scope, receive, send)


class AuthenticatedRoute(APIRoute):
    """Route that needs an API key; `request.state.caller` is the key's name."""

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """Match the path as `EncodedSlashes` left it, and decode its parameters."""
        match, found = super().matches(scope)
        if _ENCODED in scope and match is not Match.NONE:
            parameters = {name: unquote(text) for name, text in found["path_params"].items()}
            found = {**found, "path_params": parameters}
        return match, found

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = super().get_route_handler()
        fields = get_flat_params(self.dependant)
        known = [field.alias for field in fields if isinstance(field.field_info, Query)]

        async def handler(request: Request) -> Response:
            request.state.caller = await _authenticate(request)
            _check_parameters(request, known)
            try:
                return await handle(await _parse_body(request) if self.body_field else request)
            except asyncio.CancelledError:  # the shutdown timeout is over
                raise ShuttingDownError from None

        return handler


class _ParsedRequest(Request):
    """Request whose JSON has been parsed."""

    parsed: Any = None

    async def json(self) -> Any:
        return self.parsed


async def _authenticate(request: Request) -> str:
    scheme, _, key = request.headers.get("authorization", "").partition(" ")
    name = None
    if scheme.lower() == "bearer":
        name = await api_keys.check(request.state.resources.store, key.strip())
    if name is None:
        raise UnauthorisedError
    return name


def _check_parameters(request: Request, known: list[str]) -> None:
    """Refuse unknown parameters: without a misspelt filter, a command would change more than it should."""
    errors = tuple(
        FieldError(name, f"unknown parameter{did_you_mean(name, known)}")
        for name in request.query_params
        if name not in known
    )
    if errors:
        raise InvalidRequestError(errors)


async def _parse_body(request: Request) -> Request:
    parsed = _ParsedRequest(request.scope, request.receive)
    if body := await parsed.body():
        if not is_json(content_type(request)):
            raise UnsupportedMediaTypeError(content_type(request), "application/json")
        parsed.parsed = parse_json(body)
    return parsed
