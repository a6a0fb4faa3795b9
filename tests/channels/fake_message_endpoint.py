"""Fake of an operator's endpoint for messages, written from docs/messages.md. It sends each key once."""

import hmac
from base64 import b64decode, b64encode
from collections.abc import Callable
from datetime import UTC, datetime
from itertools import count
from typing import Any, Literal

from pydantic import ValidationError
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from tests.providers.fake_vendor import FakeVendor, Strict, VendorError

SECRET = "whsec_" + b64encode(b"a key of twenty-four byte").decode()


class Recipient(Strict):
    customer: str
    name: str | None
    email: str | None
    phone: str | None


class ReceivedMessage(Strict):
    key: str
    campaign: str
    template: str
    purpose: Literal["service", "marketing"]
    locale: str
    recipient: Recipient
    subject: str
    text: str
    data: dict[str, str]
    unsubscribe_url: str | None


def signature(body: bytes, message: str, timestamp: str, secret: str = SECRET) -> str:
    signed = f"{message}.{timestamp}.".encode() + body
    digest = hmac.digest(b64decode(secret.removeprefix("whsec_")), signed, "sha256")
    return f"v1,{b64encode(digest).decode()}"


def sign(body: bytes, at: datetime, secret: str = SECRET) -> dict[str, str]:
    """Return the headers of a callback."""
    timestamp = str(int(at.timestamp()))
    signed = signature(body, "msg_1", timestamp, secret)
    return {"webhook-id": "msg_1", "webhook-timestamp": timestamp, "webhook-signature": signed}


class FakeMessageEndpoint(FakeVendor):
    """Endpoint that answers a repeat with the first reference or with 409, at random.

    Attributes:
        sent: The messages that went out.
        retry_after: Value of `Retry-After` in refusals.
    """

    def __init__(
        self, seed: int = 0, clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:
        super().__init__(seed)
        self.clock = clock
        self.numbers = count(1)
        self.references: dict[str, str] = {}
        self.sent: list[ReceivedMessage] = []
        self.responses: list[Response] = []
        """Responses to the next requests, in place of sending."""

    def routes(self) -> list[Route]:
        return [Route("/messages", self.receive, methods=["POST"])]

    def error(self, status: int, key: str, message: str) -> Any:
        return {"reason": key, "message": message}

    async def receive(self, request: Request) -> Response:
        body = await request.body()
        self.verify(request, body)
        if self.responses:
            return self.responses.pop(0)
        try:
            message = ReceivedMessage.model_validate_json(body)
        except ValidationError as error:
            raise VendorError(
                400, self.error(400, "refused", str(error)), undocumented=True
            ) from None
        if message.key != request.headers["Idempotency-Key"]:
            raise VendorError(400, self.error(400, "refused", "two keys"), undocumented=True)
        is_repeat = message.key in self.references
        if not is_repeat:
            self.book(message.key, 1)
            self.sent.append(message)
            self.references[message.key] = f"sms-{next(self.numbers)}"
        status = self.random.choice([200, 409]) if is_repeat else 202
        return JSONResponse({"reference": self.references[message.key]}, status)

    def verify(self, request: Request, body: bytes) -> None:
        key, timestamp = request.headers["webhook-id"], request.headers["webhook-timestamp"]
        fresh = abs(self.clock().timestamp() - int(timestamp)) < 300
        is_ours = request.headers["webhook-signature"] == signature(body, key, timestamp)
        if not (fresh and is_ours and key == request.headers["Idempotency-Key"]):
            raise VendorError(401, self.error(401, "signature", "No."), undocumented=True)
