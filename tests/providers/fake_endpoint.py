"""Fake of an operator's own reward endpoint, written from docs/providers.md."""

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

from tests.providers.fake_vendor import FakeVendor, Strict, VendorError

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


class FakeEndpoint(FakeVendor):
    """Endpoint that books each key once; it responds to a repeat with the first receipt or with 409, at random.

    Attributes:
        accept_first_rate: Probability that a request is accepted first and booked later.
        always_conflicts: Respond with 409 to every request.
        remaining_balance: Balance of the customers; no more can be rolled back.
    """

    def __init__(self, seed: int = 0) -> None:
        super().__init__(seed)
        self.numbers = count(1)
        self.accept_first_rate = 0.0
        self.always_conflicts = False
        self.receipts: dict[str, dict[str, Any]] = {}
        self.bodies: list[Booking] = []
        self.remaining_balance: str | None = None

    def routes(self) -> list[Route]:
        return [
            Route("/rewards", self.receive, methods=["POST"]),
            Route("/rewards", self.look_up, methods=["GET"]),
        ]

    def error(self, status: int, key: str, message: str) -> Any:
        return {"key": key, "message": message}

    async def receive(self, request: Request) -> Response:
        await self.verify(request, request.headers.get("Idempotency-Key", ""))
        try:
            booking = Booking.model_validate_json(await request.body())
        except ValidationError as error:
            raise VendorError(
                400, self.error(400, "invalid", str(error)), undocumented=True
            ) from None
        if booking.key != request.headers["Idempotency-Key"]:
            raise VendorError(400, self.error(400, "key", "two keys"), undocumented=True)
        if booking.target.get("closed"):
            raise VendorError(422, self.error(422, "account_closed", "The account is closed."))
        if booking.key in self.receipts or self.always_conflicts:
            status = 409 if self.always_conflicts else self.random.choice([200, 409])
            return JSONResponse(self.receipts[booking.key] if status == 200 else {}, status)
        sign = 1 if booking.action == "grant" else -1
        scale = 100 if booking.currency else 1
        if (
            sign < 0
            and self.remaining_balance
            and Decimal(booking.amount) > Decimal(self.remaining_balance)
        ):
            body = self.error(422, "insufficient", "Too little is left.")
            raise VendorError(422, body | {"held": self.remaining_balance})
        self.bodies.append(booking)
        self.book(booking.key, sign * int(Decimal(booking.amount) * scale))
        receipt = {
            "reference": f"r{next(self.numbers)}",
            "settled": self.random.random() >= self.accept_first_rate,
        }
        self.receipts[booking.key] = receipt
        return JSONResponse(receipt, 201)

    async def look_up(self, request: Request) -> Response:
        key = request.query_params["key"]
        await self.verify(request, key)
        if key not in self.receipts:
            raise VendorError(404, self.error(404, "unknown_key", "no such booking"))
        receipt = dict(self.receipts[key])
        self.receipts[key]["settled"] = True
        return JSONResponse(receipt)

    async def verify(self, request: Request, key: str) -> None:
        """Verify the signature after Standard Webhooks, and that it was made for this key."""
        message, timestamp = request.headers["webhook-id"], request.headers["webhook-timestamp"]
        signed = f"{message}.{timestamp}.".encode() + await request.body()
        digest = hmac.digest(b64decode(SECRET.removeprefix("whsec_")), signed, "sha256")
        signature = f"v1,{b64encode(digest).decode()}"
        fresh = abs(time() - int(timestamp)) < 300
        if not fresh or message != key or request.headers["webhook-signature"] != signature:
            body = self.error(401, "bad_signature", "The signature is invalid.")
            raise VendorError(401, body, undocumented=True)
