"""Request bodies: a size limit, content types, and JSON without ambiguities."""

import json
from math import isfinite
from typing import Any, NoReturn

from fastapi import Request
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from entrypoints.api.http_errors import BodyTooLargeError, MalformedBodyError
from referrals.domain.syntax_messages import describe_json_error

MAX_BODY_BYTES = 4 * 1024 * 1024
MAX_NUMBER_LENGTH = 100


class BodyLimit:
    """Middleware that refuses a body above the limit, by its declared length or while it is read."""

    def __init__(self, app: ASGIApp, max_bytes: int = MAX_BODY_BYTES) -> None:
        self.app = app
        self.max_bytes = max_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            receive = self._limited(receive, Headers(scope=scope).get("content-length", ""))
        await self.app(scope, receive, send)

    def _limited(self, receive: Receive, declared: str) -> Receive:
        size = 0

        async def limited() -> Message:
            nonlocal size
            if declared.isdecimal() and int(declared[:20]) > self.max_bytes:
                raise BodyTooLargeError(self.max_bytes)
            message = await receive()
            size += len(message.get("body", b""))
            if size > self.max_bytes:
                raise BodyTooLargeError(self.max_bytes)
            return message

        return limited


def content_type(request: Request) -> str:
    """Return the media type of the body, without its parameters."""
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
            parse_constant=_reject_constant,
            parse_float=_parse_finite,
            parse_int=_parse_bounded,
            object_pairs_hook=_unique_keys,
        )
    except json.JSONDecodeError as error:
        position = f"line {error.lineno}, column {error.colno}"
        raise MalformedBodyError(
            f"The body is not JSON: {position}: {describe_json_error(error)}."
        ) from error
    except RecursionError as error:
        raise MalformedBodyError("The body is nested too deeply.") from error
    except ValueError as error:
        raise MalformedBodyError(f"The body is not JSON: {error}.") from error


def _reject_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a JSON number")


def _parse_finite(text: str) -> float:
    number = float(text)
    if not isfinite(number):
        raise ValueError("a number is too large")
    return number


def _parse_bounded(text: str) -> int:
    if len(text) > MAX_NUMBER_LENGTH:
        raise ValueError(f"a number has more than {MAX_NUMBER_LENGTH} digits")
    return int(text)


def _unique_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        duplicate = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"the key {duplicate[:100]!r} is duplicated")
    return found
