"""Fake of Talon.One's Integration API and Management API, after its OpenAPI documents."""

from itertools import count
from typing import Annotated, Any, Literal
from uuid import uuid4

from pydantic import Field, ValidationError
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from tests.providers.fake_vendor import TOKEN, FakeVendor, Strict, VendorError

MANAGEMENT_TOKEN = "m4n4g3m3nt"
EVENT = "referral_reward"
PROGRAM = 45
PAGE = 10


class Attributes(Strict):
    """Event attributes; a real account must define them in the Campaign Manager."""

    action: Literal["grant", "roll_back"]
    reward: Literal["points", "gift_credit"]
    amount: int | float
    reason: str
    currency: str | None = None


class Event(Strict):
    profileId: str  # noqa: N815
    type: Annotated[str, Field(min_length=1)]
    integrationId: Annotated[str, Field(min_length=1)]  # noqa: N815
    attributes: Attributes


class AddPoints(Strict):
    points: Annotated[int | float, Field(gt=0, le=999999999999.99)]
    name: Annotated[str, Field(max_length=255)] | None = None
    subledgerId: str | None = None  # noqa: N815


class Profile(Strict):
    attributes: dict[str, Any] | None = None


class FakeTalonOne(FakeVendor):
    """Account with one loyalty programme and a rule that books the amount in the attributes of an event."""

    def __init__(self, seed: int = 0) -> None:
        super().__init__(seed)
        self.numbers = count(1)
        self.rules = True
        self.conflict_rate = 0.0
        self.profiles: set[str] = set()
        self.events: dict[str, dict[str, Any]] = {}
        self.transactions: dict[str, list[dict[str, Any]]] = {}

    def routes(self) -> list[Route]:
        profile = "/v1/loyalty_programs/{program:int}/profile/{customer:path}"
        return [
            Route("/v3/events", self.track, methods=["POST"]),
            Route("/v3/events/{key:path}", self.event, methods=["GET"]),
            Route("/v2/customer_profiles/{customer:path}", self.update_profile, methods=["PUT"]),
            Route(profile + "/add_points", self.add_points, methods=["PUT"]),
            Route(profile + "/deduct_points", self.add_points, methods=["PUT"]),
            Route(profile + "/transactions", self.list_transactions, methods=["GET"]),
        ]

    def error(self, status: int, key: str, message: str) -> Any:
        errors = [{"title": key, "details": message, "source": {}}]
        return {"message": message, "errors": errors, "StatusCode": status}

    def refuse(self, status: int, message: str, *, undocumented: bool = False) -> VendorError:
        return VendorError(status, self.error(status, message, message), undocumented=undocumented)

    def check(self, request: Request, authorization: str, *query: str) -> None:
        if request.headers.get("Authorization") != authorization:
            raise self.refuse(401, "Invalid API key", undocumented=True)
        if not set(request.query_params) <= set(query):
            raise self.refuse(400, "unknown parameter", undocumented=True)
        media = request.headers.get("Content-Type")
        if request.method != "GET" and media != "application/json":
            raise self.refuse(400, "not JSON", undocumented=True)

    async def read(self, request: Request, shape: type[Strict]) -> Any:
        try:
            return shape.model_validate_json(await request.body())
        except ValidationError as error:
            raise self.refuse(400, str(error), undocumented=True) from None

    async def track(self, request: Request) -> Response:
        """Book the event. A 409 means a repeat or a concurrent update of the profile; its message does not say which."""
        self.check(request, f"ApiKey-v1 {TOKEN}", "silent", "dry")
        event = await self.read(request, Event)
        if event.type != EVENT:
            raise self.refuse(400, f"no event type {event.type}")
        if event.integrationId in self.events or self.random.random() < self.conflict_rate:
            raise self.refuse(409, "Too many requests are updating this profile at the same time")
        self.profiles.add(event.profileId)
        effects = [{"effectType": "addLoyaltyPoints", "props": {}}] if self.rules else []
        self.events[event.integrationId] = {"id": 1, "type": event.type, "effects": [effects]}
        if self.rules:
            sign = 1 if event.attributes.action == "grant" else -1
            scale = 100 if event.attributes.currency else 1
            self.book(event.integrationId, sign * round(event.attributes.amount * scale))
        if request.query_params.get("silent", "yes") == "yes":
            return Response(status_code=204)
        return JSONResponse({"effects": effects, "createdCoupons": [], "createdReferrals": []})

    async def event(self, request: Request) -> Response:
        self.check(request, f"ApiKey-v1 {TOKEN}")
        if request.path_params["key"] not in self.events:
            raise self.refuse(404, "event not found")
        return JSONResponse(self.events[request.path_params["key"]])

    async def update_profile(self, request: Request) -> Response:
        self.check(request, f"ApiKey-v1 {TOKEN}", "runRuleEngine", "dry")
        await self.read(request, Profile)
        if self.random.random() < self.conflict_rate:
            raise self.refuse(409, "Too many requests are updating this profile at the same time")
        self.profiles.add(request.path_params["customer"])
        return JSONResponse({"effects": [], "createdCoupons": [], "createdReferrals": []})

    async def add_points(self, request: Request) -> Response:
        self.check(request, f"ManagementKey-v1 {MANAGEMENT_TOKEN}")
        body = await self.read(request, AddPoints)
        self.check_program(request)
        if request.path_params["customer"] not in self.profiles:
            raise self.refuse(404, "customer profile not found")
        adding = request.url.path.endswith("/add_points")
        self.transactions.setdefault(request.path_params["customer"], []).append(
            {
                "id": next(self.numbers),
                "transactionUUID": str(uuid4()),
                "type": "addition" if adding else "subtraction",
                "name": body.name,
                "amount": body.points,
                "subledgerId": body.subledgerId or "",
            }
        )
        self.book(str(body.name), body.points if adding else -body.points)
        return Response(status_code=204)

    async def list_transactions(self, request: Request) -> Response:
        self.check(request, f"ApiKey-v1 {TOKEN}", "pageSize", "skip", "subledgerId")
        self.check_program(request)
        if not 1 <= int(request.query_params.get("pageSize", 50)) <= 1000:
            raise self.refuse(400, "pageSize", undocumented=True)
        if request.path_params["customer"] not in self.profiles:
            raise self.refuse(404, "customer profile not found")
        newest = self.transactions.get(request.path_params["customer"], [])[::-1]
        start = int(request.query_params.get("skip", 0))
        page = newest[start : start + PAGE]
        return JSONResponse({"hasMore": start + PAGE < len(newest), "data": page})

    def check_program(self, request: Request) -> None:
        if request.path_params["program"] != PROGRAM:
            raise self.refuse(404, "loyalty program not found")
