"""Fake of Talon.One's Integration API and Management API, after its OpenAPI documents."""

import re
from itertools import count
from typing import Annotated, Any, Literal
from urllib.parse import unquote
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
    type: str
    integrationId: Annotated[str, Field(pattern=r"^[A-Za-z0-9_.~-]+$", max_length=1000)]  # noqa: N815
    attributes: Attributes
    responseContent: tuple[Literal["ruleFailureReasons"], ...] = ()  # noqa: N815


class CustomEvent(Strict):
    """Event of another type than that of rewards."""

    profileId: str  # noqa: N815
    type: Literal["friend_bought"]
    integrationId: Annotated[str, Field(pattern=r"^[A-Za-z0-9_.~-]+$", max_length=1000)]  # noqa: N815
    attributes: dict[str, str | int | float | bool]


class AddPoints(Strict):
    points: Annotated[int | float, Field(gt=0, le=999999999999.99)]
    name: Annotated[str, Field(max_length=255)] | None = None
    subledgerId: str | None = None  # noqa: N815


class Profile(Strict):
    attributes: dict[str, Any] | None = None


RULE = {"campaignId": 1, "rulesetId": 11, "ruleIndex": 0, "ruleName": "Referral reward"}
OTHER_RULE = {"campaignId": 2, "rulesetId": 21, "ruleIndex": 3, "ruleName": "Students only"}
FAILURE_EFFECTS = {
    "error": {"message": "Error while evaluating the rule"},
    "showNotification": {"notificationType": "Error", "title": "Sorry", "body": "Students only"},
    "rejectReferral": {"value": "CODE", "rejectionReason": "ReferralRejectedByCondition"},
    "rejectCoupon": {"value": "CODE", "rejectionReason": "CouponRejectedByCondition"},
    "customEffect": {"effectId": 7, "name": "refused", "payload": {}},
}
"""Effects of rules whose conditions were not met, and of errors, with their properties."""


def key_of(event_id: str) -> str:
    """Return our key of an event: `/` is sent as `.`, other characters as `~` and their bytes."""
    base = re.sub(r"~\d$", "", event_id)
    return unquote(base.replace(".", "/").replace("~", "%"))


class FakeTalonOne(FakeVendor):
    """Account with one loyalty programme and a rule that books the amount in the attributes of an event.

    Attributes:
        rules: Whether the conditions of that rule are met.
        giving, taking: Effects of the rule for grants and for roll-backs.
        failing: Failure effects of another rule.
        conflict_rate: Probability of a 409 because the profile is being updated.
    """

    def __init__(self, seed: int = 0) -> None:
        super().__init__(seed)
        self.numbers = count(1)
        self.rules = True
        self.giving, self.taking = "addLoyaltyPoints", "deductLoyaltyPoints"
        self.failing: list[str] = []
        self.conflict_rate = 0.0
        self.profiles: set[str] = set()
        self.events: dict[str, dict[str, Any]] = {}
        self.transactions: dict[str, list[dict[str, Any]]] = {}

    def routes(self) -> list[Route]:
        profile = "/v1/loyalty_programs/{program:int}/profile/{customer:path}"
        return [
            Route("/v3/events", self.track, methods=["POST"]),
            Route("/v3/events/{key}", self.event, methods=["GET"]),
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
        if (await request.json()).get("type") == "friend_bought":
            return await self.track_custom(request)
        event = await self.read(request, Event)
        if event.type != EVENT:
            raise self.refuse(400, f"no event type {event.type}")
        if event.integrationId in self.events or self.random.random() < self.conflict_rate:
            raise self.refuse(409, "Too many requests are updating this profile at the same time")
        self.profiles.add(event.profileId)
        grants = event.attributes.action == "grant"
        effects = [
            OTHER_RULE | {"effectType": kind, "props": FAILURE_EFFECTS[kind]}
            for kind in self.failing
        ]
        if self.rules:
            kind = self.giving if grants else self.taking
            effects.append(RULE | {"effectType": kind, "props": {"value": event.attributes.amount}})
            scale = 100 if event.attributes.currency else 1
            amount = round(event.attributes.amount * scale)
            self.book(key_of(event.integrationId), amount if grants else -amount)
        self.events[event.integrationId] = {"id": 1, "type": event.type, "effects": [effects]}
        if request.query_params.get("silent", "yes") == "yes":
            return Response(status_code=204)
        result = {"effects": effects, "createdCoupons": [], "createdReferrals": []}
        if event.responseContent:
            result["ruleFailureReasons"] = self.failures()
        return JSONResponse(result)

    async def track_custom(self, request: Request) -> Response:
        event = await self.read(request, CustomEvent)
        if event.integrationId in self.events or self.random.random() < self.conflict_rate:
            raise self.refuse(409, "Too many requests are updating this profile at the same time")
        self.events[event.integrationId] = {"id": 1, "type": event.type, "effects": []}
        self.book(key_of(event.integrationId), 1)
        return Response(status_code=204)

    def failures(self) -> list[dict[str, Any]]:
        """Return the rules that an event did not meet."""
        failed = [OTHER_RULE] if self.failing else []
        failed += [] if self.rules else [RULE]
        return [
            {
                "campaignID": rule["campaignId"],
                "campaignName": "Spring",
                "rulesetID": rule["rulesetId"],
                "ruleIndex": rule["ruleIndex"],
                "ruleName": rule["ruleName"],
                "conditionIndex": 0,
                "details": "Attribute comparison failed for fay@example.com",
            }
            for rule in failed
        ]

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
