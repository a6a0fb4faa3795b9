"""Middleware that logs each request and gives it an id."""

import re
from typing import Any

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from referrals.logging import Stopwatch, get_logger, log_context
from referrals.store.db.ids import new_id

REQUEST_ID_HEADER = "x-request-id"

log = get_logger(__name__)

_CALLERS_ID = re.compile(r"[A-Za-z0-9-]{8,64}")


class RequestLog:
    """Logs method, route, status and duration of each request, but not its path, which may hold customer ids.

    The request's id is the caller's `X-Request-Id`, if it is of letters, digits and dashes, else a new one; the
    response carries it too.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        request_id, stopwatch, status = _request_id(scope), Stopwatch(), 500

        async def send_with_id(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                MutableHeaders(scope=message)[REQUEST_ID_HEADER] = request_id
            await send(message)

        with log_context(request_id=request_id):
            try:
                await self.app(scope, receive, send_with_id)
            finally:
                log.info(
                    "request",
                    method=scope["method"],
                    route=_route(scope),
                    status=status,
                    duration_ms=stopwatch.milliseconds,
                )


def _request_id(scope: Scope) -> str:
    given = Headers(scope=scope).get(REQUEST_ID_HEADER, "")
    return given if _CALLERS_ID.fullmatch(given) else new_id("req")


def _route(scope: Scope) -> str | None:
    route: Any = scope.get("route")
    return getattr(route, "path", None)
