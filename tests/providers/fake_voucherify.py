"""Fake of Voucherify's API v1 and v2, after its OpenAPI documents."""

from itertools import count
from typing import Any

from pydantic import ValidationError
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from tests.providers.fake_vendor import TOKEN, FakeVendor, Strict, VendorError
from tests.providers.voucherify_bodies import (
    Credit,
    Customer,
    CustomEvent,
    LegacyPoints,
    NewMember,
    NewMemberOfGuide,
    Points,
    Publication,
)

APP_ID = "app-1"
PROGRAM = "lprg_128f58429f4c4bf7b2"
DEFINITION = "lcdef_128f495f720c4bec8c"
PAGE = 10
"""Entries per page, whatever limit is requested, so that there are several pages."""


class FakeVoucherify(FakeVendor):
    """Account with customers, members with one card per definition, publications with a voucher, and transactions.

    Attributes:
        rejecting: Reject points after accepting them.
        listing: Whether publications are listed already.
        failed_publications: Number of failed attempts that are listed before each publication.
        member_shape: Accepted body of an enrolment: that of the reference, or that of the guide.
        repeats: Error keys for a repeated publication, one of them at random; empty is success.
    """

    def __init__(self, seed: int = 0) -> None:
        super().__init__(seed)
        self.numbers = count(1)
        self.definitions = [DEFINITION]
        self.program_status = "ACTIVE"
        self.rejecting = False
        self.listing = True
        self.failed_publications = 0
        self.member_shape: type[NewMember | NewMemberOfGuide] = NewMember
        self.repeats = ["", "duplicate_source_id", "voucher_already_published"]
        self.customers: set[str] = set()
        self.members: dict[str, list[dict[str, Any]]] = {}
        self.publications: dict[str, dict[str, Any]] = {}
        self.transactions: dict[str, list[dict[str, Any]]] = {}
        self.activities: dict[str, list[dict[str, Any]]] = {}

    def routes(self) -> list[Route]:
        program = "/v2/loyalties/programs/{program}"
        card = program + "/members/{member}/cards/{card}"
        legacy = "/v1/loyalties/members/{code:path}"
        return [
            Route("/v1/customers", self.create_customer, methods=["POST"]),
            Route("/v1/events", self.track, methods=["POST"]),
            Route("/v1/customers/{customer:path}/activity", self.list_activity, methods=["GET"]),
            Route("/v1/publications", self.publish, methods=["POST"]),
            Route("/v1/publications", self.list_publications, methods=["GET"]),
            Route("/v1/vouchers/{code:path}/balance", self.add_credit, methods=["POST"]),
            Route(legacy + "/balance", self.add_legacy_points, methods=["POST"]),
            Route("/v1/vouchers/{code:path}/transactions", self.list_transactions, methods=["GET"]),
            Route(program + "/members", self.enrol, methods=["POST"]),
            Route(program + "/memberships/{customer:path}", self.membership, methods=["GET"]),
            Route(card + "/points", self.add_points, methods=["POST"]),
            Route(card + "/transactions", self.list_card_transactions, methods=["GET"]),
        ]

    def error(self, status: int, key: str, message: str) -> Any:
        return {"code": status, "key": key, "message": message, "details": message}

    def refuse(self, status: int, key: str, *, undocumented: bool = False) -> VendorError:
        return VendorError(status, self.error(status, key, key), undocumented=undocumented)

    async def read(self, request: Request, shape: type[Strict], *query: str) -> Any:
        self.check(request, *query)
        try:
            return shape.model_validate_json(await request.body())
        except ValidationError as error:
            body = self.error(400, "invalid_payload", str(error))
            raise VendorError(400, body, undocumented=True) from None

    def check(self, request: Request, *query: str) -> None:
        keys = (request.headers.get("X-App-Id"), request.headers.get("X-App-Token"))
        if keys != (APP_ID, TOKEN):
            raise self.refuse(401, "unauthorized", undocumented=True)
        if request.method == "POST" and request.headers.get("Content-Type") != "application/json":
            raise self.refuse(415, "unsupported_media_type", undocumented=True)
        if not set(request.query_params) <= set(query):
            raise self.refuse(400, "invalid_query_params", undocumented=True)

    async def create_customer(self, request: Request) -> JSONResponse:
        customer = await self.read(request, Customer)
        self.customers.add(customer.source_id)
        id_ = f"cust_{customer.source_id.encode().hex()}"
        return JSONResponse({"id": id_, "source_id": customer.source_id, "object": "customer"})

    # API v1

    async def track(self, request: Request) -> JSONResponse:
        """Take the event, which creates the customer if there is none."""
        body = await self.read(request, CustomEvent)
        if body.event == "unknown":
            raise self.refuse(404, "not_found")
        customer = body.customer.source_id
        self.customers.add(customer)
        event = {"id": f"evcus_{next(self.numbers)}", "type": body.event, "metadata": body.metadata}
        listed = {"id": f"evt_{next(self.numbers)}", "type": "customer.custom_event"}
        self.activities.setdefault(customer, []).append(listed | {"data": {"event": event}})
        self.book(str((body.metadata or {}).get("referrals_key")), 1)
        shown = {"id": "cust_1", "source_id": customer, "object": "customer"}
        answer = {"object": "event", "type": body.event, "customer": shown}
        return JSONResponse(answer | {"referral": None, "loyalty": None, "metadata": body.metadata})

    async def list_activity(self, request: Request) -> JSONResponse:
        self.check(request, "limit", "order", "starting_after_id", "type")
        self.check_page(request, order="-created_at")
        if request.path_params["customer"] not in self.customers:
            raise self.refuse(404, "not_found")
        return self.page(request, self.activities.get(request.path_params["customer"], []))

    async def publish(self, request: Request) -> JSONResponse:
        """Publish a voucher. A repeat gets one of the documented responses, at random."""
        body = await self.read(request, Publication, "join_once")
        if body.campaign.name == "Empty":
            raise self.refuse(400, "no_voucher_suitable_for_publication")
        holder = (body.campaign.name, body.customer.source_id)
        published = self.publications.get(str(body.source_id))
        if published is None:
            code = f"CARD {next(self.numbers)}/x"
            published = {
                "id": f"pub_{next(self.numbers)}",
                "result": "SUCCESS",
                "source_id": body.source_id,
                "tracking_id": holder[1],
                "voucher": {"code": code, "campaign": holder[0], "object": "voucher"},
            }
            self.publications[str(body.source_id)] = published
            self.transactions[code] = []
        elif refusal := self.random.choice(self.repeats):
            raise self.refuse(400, refusal)
        return JSONResponse(published)

    async def list_publications(self, request: Request) -> JSONResponse:
        self.check(request, "source_id", "limit", "page")
        found = self.listing and self.publications.get(request.query_params["source_id"])
        failed = {
            "id": "pub_0",
            "object": "publication",
            "result": "FAILURE",
            "failure_code": "duplicate_source_id",
            "failure_message": "Duplicate source_id",
            "vouchers": [],
        }
        listed = [*[failed] * self.failed_publications, *([found] if found else [])]
        return JSONResponse({"object": "list", "data_ref": "publications", "publications": listed})

    async def add_credit(self, request: Request) -> JSONResponse:
        body = await self.read(request, Credit)
        card = self.voucher(request)
        card.append({"id": f"vtx_{next(self.numbers)}", "source_id": body.source_id})
        self.book(str(body.source_id), body.amount)
        return JSONResponse(self.balance(body.amount, "gift_voucher"))

    async def add_legacy_points(self, request: Request) -> JSONResponse:
        body = await self.read(request, LegacyPoints)
        card = self.voucher(request)

        def enter() -> None:
            card.append({"id": f"vtx_{next(self.numbers)}", "source_id": body.source_id})

        if (body.expiration_type is not None) != (body.points > 0):
            raise self.refuse(400, "invalid_payload", undocumented=True)
        self.book_later(str(body.source_id), body.points, enter)
        return JSONResponse(self.balance(body.points, "loyalty_card"))

    async def list_transactions(self, request: Request) -> JSONResponse:
        self.check(request, "limit", "order", "starting_after_id")
        self.check_page(request, order="-id")
        return self.page(request, self.voucher(request))

    def page(self, request: Request, oldest_first: list[dict[str, Any]]) -> JSONResponse:
        newest = oldest_first[::-1]
        ids = [transaction["id"] for transaction in newest]
        after = request.query_params.get("starting_after_id")
        start = ids.index(after) + 1 if after else 0
        page = newest[start : start + PAGE]
        more = start + PAGE < len(newest)
        answer = {"object": "list", "data_ref": "data", "data": page, "has_more": more}
        return JSONResponse(answer | ({"more_starting_after": page[-1]["id"]} if more else {}))

    def voucher(self, request: Request) -> list[dict[str, Any]]:
        code = request.path_params["code"]
        if code not in self.transactions:
            raise self.refuse(404, "not_found")
        return self.transactions[code]

    def balance(self, amount: int, kind: str) -> dict[str, Any]:
        return {"amount": amount, "total": 1, "balance": 1, "type": kind, "object": "balance"}

    # API v2

    async def enrol(self, request: Request) -> JSONResponse:
        customer = await self.read_new_member(request)
        self.check_program(request)
        if customer not in self.customers:
            raise self.refuse(404, "not_found", undocumented=True)
        if customer in self.members:
            raise self.refuse(409, "member_already_exists")
        self.members[customer] = [self.card(definition) for definition in self.definitions]
        return JSONResponse(self.member(customer))

    async def read_new_member(self, request: Request) -> str:
        """Return the customer of an enrolment; refuse the form that this account does not accept."""
        self.check(request)
        try:
            body = self.member_shape.model_validate_json(await request.body())
        except ValidationError:
            raise self.refuse(400, "invalid_payload") from None
        if isinstance(body, NewMemberOfGuide):
            return body.customer_identification.customer_source_id
        return bytes.fromhex(body.customer_id.removeprefix("cust_")).decode()

    async def membership(self, request: Request) -> JSONResponse:
        self.check(request, "identification_type")
        if request.query_params["identification_type"] != "customer_source_id":
            raise self.refuse(400, "invalid_query_params", undocumented=True)
        customer = request.path_params["customer"]
        if customer not in self.members:
            raise self.refuse(404, "not_found")
        return JSONResponse({"member": self.member(customer), "cards": self.members[customer]})

    def member(self, customer: str) -> dict[str, Any]:
        return {"id": f"lmbr_{customer.encode().hex()}", "program_id": PROGRAM, "object": "member"}

    def card(self, definition: str) -> dict[str, Any]:
        card = f"lcrd_{next(self.numbers):x}"
        self.transactions[card] = []
        held = {"id": card, "card_definition_id": definition, "code": None, "object": "card"}
        return {"member_role": "OWNER", "card": held, "object": "member_card"}

    async def add_points(self, request: Request) -> JSONResponse:
        body = await self.read(request, Points)
        self.check_program(request)
        transaction = {
            "id": f"lctx_{next(self.numbers):x}",
            "status": "PENDING",
            "type": "ADMIN_CREDIT" if body.points > 0 else "ADMIN_DEBIT",
            "details": {"reason": body.reason, "rejection": None, "points": {"total": body.points}},
            "object": "card_transaction",
        }
        self.member_card(request).append(transaction)
        if not self.rejecting:
            self.book(str(body.reason), body.points)
        return JSONResponse({"transaction": dict(transaction), "status": "TRANSACTION_CREATED"})

    async def list_card_transactions(self, request: Request) -> JSONResponse:
        self.check(request, "limit", "order", "cursor")
        self.check_page(request, order="-created_at")
        newest = self.member_card(request)[::-1]
        start = int(request.query_params.get("cursor", "lcrsctx_0").removeprefix("lcrsctx_"), 16)
        page = [self.progress(transaction) for transaction in newest[start : start + PAGE]]
        more = start + PAGE < len(newest)
        cursor = {"next": f"lcrsctx_{start + PAGE:x}"} if more else None
        return JSONResponse({"data": page, "cursor": cursor, "object": "list"})

    def progress(self, transaction: dict[str, Any]) -> dict[str, Any]:
        """Advance the transaction by one step, and return it."""
        if self.rejecting and transaction["status"] == "PROCESSING":
            rejection = {
                "reason": "limit_exceeded",
                "details": "Too many points for fay@example.com",
            }
            transaction["details"]["rejection"] = rejection
            transaction["status"] = "REJECTED"
        steps = {"PENDING": "PROCESSING", "PROCESSING": "APPROVED"}
        transaction["status"] = steps.get(transaction["status"], transaction["status"])
        return transaction

    def check_program(self, request: Request) -> None:
        if request.path_params["program"] != PROGRAM:
            raise self.refuse(404, "not_found")
        if self.program_status != "ACTIVE":
            raise self.refuse(423, "non_active_program")

    def check_page(self, request: Request, order: str) -> None:
        limit = int(request.query_params.get("limit", 10))
        if not 1 <= limit <= 100 or request.query_params.get("order", order) != order:
            raise self.refuse(400, "invalid_query_params", undocumented=True)

    def member_card(self, request: Request) -> list[dict[str, Any]]:
        customer = bytes.fromhex(request.path_params["member"].removeprefix("lmbr_")).decode()
        cards = [held["card"]["id"] for held in self.members.get(customer, [])]
        if request.path_params["card"] not in cards:
            raise self.refuse(404, "not_found", undocumented=True)
        return self.transactions[request.path_params["card"]]
