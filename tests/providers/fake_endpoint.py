"""An endpoint of the operator's own, written from docs/providers.md."""

import hmac
from base64 import b64decode, b64encode
from decimal import Decimal
from itertools import count
from time import time
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationError
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from tests.providers.vendors import Refused, Strict, Vendor

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


class Booking(Strict):
    key: str
    action: Literal["grant", "roll_back"]
    customer: str
    type: Literal["points", "gift_credit"]
    amount: Annotated[str, Field(pattern=r"^[0-9]+(\.[0-9]+)?$")]
    currency: str | None
    reason: str
    reference: str | None
    target: dict[str, Any]


class FakeEndpoint(Vendor):
    """Books a key once. A repeat is answered as before or by 409, at random; so is whether a booking takes a while."""

    def __init__(self, seed: int = 0) -> None:
        super().__init__(seed)
        self.numbers = count(1)
        self.slow = 0.0
        self.confused = False
        self.receipts: dict[str, dict[str, Any]] = {}
        self.bodies: list[Booking] = []
        self.held: str | None = None
        """What a customer has left, as the endpoint tells it."""

    def routes(self) -> list[Route]:
        return [
            Route("/rewards", self.take, methods=["POST"]),
            Route("/rewards", self.find, methods=["GET"]),
        ]

    def error(self, status: int, key: str, message: str) -> Any:
        return {"key": key, "message": message}

    async def take(self, request: Request) -> Response:
        await self.verify(request, request.headers.get("Idempotency-Key", ""))
        try:
            booking = Booking.model_validate_json(await request.body())
        except ValidationError as error:
            raise Refused(400, self.error(400, "invalid", str(error)), undocumented=True) from None
        if booking.key != request.headers["Idempotency-Key"]:
            raise Refused(400, self.error(400, "key", "two keys"), undocumented=True)
        if booking.target.get("closed"):
            raise Refused(422, self.error(422, "account_closed", "The account is closed."))
        if booking.key in self.receipts or self.confused:
            status = 409 if self.confused else self.random.choice([200, 409])
            return JSONResponse(self.receipts[booking.key] if status == 200 else {}, status)
        sign = 1 if booking.action == "grant" else -1
        scale = 100 if booking.currency else 1
        if sign < 0 and self.held and Decimal(booking.amount) > Decimal(self.held):
            body = self.error(422, "insufficient", "Too little is left.")
            raise Refused(422, body | {"held": self.held})
        self.bodies.append(booking)
        self.book(booking.key, sign * int(Decimal(booking.amount) * scale))
        receipt = {
            "reference": f"r{next(self.numbers)}",
            "settled": self.random.random() >= self.slow,
        }
        self.receipts[booking.key] = receipt
        return JSONResponse(receipt, 201)

    async def find(self, request: Request) -> Response:
        key = request.query_params["key"]
        await self.verify(request, key)
        if key not in self.receipts:
            raise Refused(404, self.error(404, "unknown_key", "no such booking"))
        answer = dict(self.receipts[key])
        self.receipts[key]["settled"] = True
        return JSONResponse(answer)

    async def verify(self, request: Request, key: str) -> None:
        """By the rules of Standard Webhooks, for the key and no other."""
        message, timestamp = request.headers["webhook-id"], request.headers["webhook-timestamp"]
        signed = f"{message}.{timestamp}.".encode() + await request.body()
        digest = hmac.digest(b64decode(SECRET.removeprefix("whsec_")), signed, "sha256")
        signature = f"v1,{b64encode(digest).decode()}"
        fresh = abs(time() - int(timestamp)) < 300
        if not fresh or message != key or request.headers["webhook-signature"] != signature:
            body = self.error(401, "bad_signature", "The signature does not fit.")
            raise Refused(401, body, undocumented=True)
