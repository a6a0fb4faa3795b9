"""Fake of Meta's Graph API for one WhatsApp number, after its documentation. It stores template messages.

It rejects what Meta rejects, and records what no correct caller sends in `undocumented_requests`. Transport faults are
those of `tests.providers.fake_vendor`; `codes` and `codes_of` are Meta's own errors. Its webhooks are in
`fake_whatsapp_webhooks`.
"""

from collections import deque
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Annotated, Any, Literal, NamedTuple

from pydantic import AfterValidator, Field, ValidationError, model_validator
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from tests.providers.fake_vendor import TOKEN, FakeVendor, Strict, VendorError

NUMBER_ID = "106540352242922"
PAIR_INTERVAL = timedelta(seconds=6)

TITLES = {
    131026: "Message undeliverable",
    131049: "This message was not delivered to maintain healthy ecosystem engagement.",
    131050: "Recipient has stopped receiving marketing messages from your business",
    131056: "(Business Account, Consumer Account) pair rate limit hit",
    130429: "Rate limit hit",
    132000: "Number of parameters does not match the expected number of params",
    132001: "Template name does not exist in the translation",
}
STATUSES = {0: 401, 190: 401, 3: 500, 10: 403, 2: 503, 368: 403, 132001: 404, 131005: 403}
STATUSES |= {131000: 500, 131016: 500, 131057: 500, 131031: 403, 131045: 500, 130497: 403}
STATUSES |= dict.fromkeys(range(200, 300), 403)
"""HTTP statuses of Meta's codes; all others are 400."""


def one_line(text: str) -> str:
    if not text.strip() or "     " in text or set(text) & set("\n\r\t"):
        raise ValueError("Param text cannot have new-line/tab characters or more than 4 spaces")
    return text


Line = Annotated[str, AfterValidator(one_line)]


class Text(Strict):
    type: Literal["text"]
    text: Line


class Money(Strict):
    fallback_value: Line
    code: Annotated[str, Field(pattern="^[A-Z]{3}$")]
    amount_1000: Annotated[int, Field(ge=-(2**31), lt=2**31)]


class Currency(Strict):
    type: Literal["currency"]
    currency: Money


class Moment(Strict):
    fallback_value: Line


class DateTime(Strict):
    type: Literal["date_time"]
    date_time: Moment


Parameter = Annotated[Text | Currency | DateTime, Field(discriminator="type")]


class Block(Strict):
    type: Literal["header", "body"]
    parameters: Annotated[list[Parameter], Field(min_length=1)]


class Button(Strict):
    type: Literal["button"]
    sub_type: Literal["url"]
    index: Annotated[str, Field(pattern="^[0-9]$")]
    parameters: Annotated[list[Text], Field(min_length=1, max_length=1)]


Component = Annotated[Block | Button, Field(discriminator="type")]


class Language(Strict):
    policy: Literal["deterministic"]
    code: Annotated[str, Field(pattern="^[a-z]{2,3}(_[A-Z]{2})?$")]


class Template(Strict):
    name: Annotated[str, Field(pattern="^[a-z0-9_]{1,512}$")]
    language: Language
    components: list[Component]

    @model_validator(mode="after")
    def _each_once(self) -> "Template":
        buttons = [part.index for part in self.components if isinstance(part, Button)]
        blocks = [part.type for part in self.components if isinstance(part, Block)]
        if len(set(blocks)) < len(blocks) or buttons != list(map(str, range(len(buttons)))):
            raise ValueError("duplicate component or missing button")
        return self

    def counts(self) -> tuple[int, int, int]:
        """Return the number of header parameters, body parameters and buttons."""
        blocks = {part.type: len(part.parameters) for part in self.components}
        buttons = sum(part.type == "button" for part in self.components)
        return blocks.get("header", 0), blocks.get("body", 0), buttons


class NewMessage(Strict):
    messaging_product: Literal["whatsapp"]
    recipient_type: Literal["individual"]
    to: Annotated[str, Field(pattern=r"^\+[1-9][0-9]{6,14}$")]
    type: Literal["template"]
    template: Template
    biz_opaque_callback_data: Annotated[str, Field(min_length=1, max_length=512)]


class Approved(NamedTuple):
    """An approved template in one language, with the parameters it expects."""

    category: Literal["utility", "marketing"]
    header: int = 0
    body: int = 0
    buttons: int = 0


class Sent(NamedTuple):
    wamid: str
    key: str
    to: str
    category: str
    template: Template
    at: datetime


class FakeGraph(FakeVendor):
    """WhatsApp number; `codes` are the error codes of the next sends (None succeeds), `codes_of` those of recipients."""

    def __init__(
        self, seed: int = 0, clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:
        super().__init__(seed)
        self.clock = clock
        self.numbers = count(1)
        self.templates: dict[tuple[str, str], Approved] = {}
        self.codes: deque[int | None] = deque()
        self.codes_of: dict[str, int] = {}
        self.retry_after: int | None = None
        self.transient: bool | None = None
        """Value of `is_transient` in errors; None leaves the field out."""
        self.pair_limit = True
        self.sent: list[Sent] = []
        self._last: dict[str, datetime] = {}

    def approve(self, name: str, *languages: str, **expects: Any) -> None:
        self.templates |= {(name, language): Approved(**expects) for language in languages}

    def routes(self) -> list[Route]:
        number = "/v23.0/{number}"
        return [
            Route(f"{number}/messages", self.receive, methods=["POST"]),
            Route(number, self.show, methods=["GET"]),
        ]

    def error(self, status: int, key: str, message: str) -> Any:
        """Return an error in Meta's format, without a code."""
        return {"error": {"message": message, "type": "OAuthException", "fbtrace_id": "A1"}}

    def refuse(self, code: int, details: str = "", *, undocumented: bool = False) -> VendorError:
        error = {
            "message": f"(#{code}) {TITLES.get(code, 'Something went wrong')}",
            "type": "OAuthException",
            "code": code,
            "error_data": {"messaging_product": "whatsapp", "details": details},
            "fbtrace_id": "AbCdEf123",
        }
        if self.transient is not None:
            error["is_transient"] = self.transient
        return VendorError(STATUSES.get(code, 400), {"error": error}, undocumented=undocumented)

    async def show(self, request: Request) -> JSONResponse:
        self.check(request)
        return JSONResponse(
            {"verified_name": "Shop", "display_phone_number": "+1 555-078-3881"}
            | {"quality_rating": "GREEN", "id": NUMBER_ID}
        )

    async def receive(self, request: Request) -> JSONResponse:
        self.check(request)
        try:
            message = NewMessage.model_validate_json(await request.body())
        except ValidationError as error:
            raise self.refuse(100, str(error), undocumented=True) from None
        code = self.codes.popleft() if self.codes else None
        if code is None:
            code = self.codes_of.get(message.to)
        if code is not None:
            headers = {"Retry-After": str(self.retry_after)} if self.retry_after else None
            refused = self.refuse(code, f"It could not be sent to {message.to}.")
            return JSONResponse(refused.body, refused.status_code, headers)
        approved = self.approved(message.template)
        self.check_pair_rate(message.to)
        key, now = message.biz_opaque_callback_data, self.clock()
        wamid = f"wamid.HBgL{next(self.numbers)}A=="
        self.book(key, 1)
        self.sent.append(Sent(wamid, key, message.to, approved.category, message.template, now))
        contacts = [{"input": message.to, "wa_id": message.to[1:]}]
        return JSONResponse(
            {"messaging_product": "whatsapp", "contacts": contacts, "messages": [{"id": wamid}]}
        )

    def check(self, request: Request) -> None:
        if request.headers.get("Authorization") != f"Bearer {TOKEN}":
            raise self.refuse(190, "The access token is invalid.", undocumented=True)
        if request.path_params["number"] != NUMBER_ID or request.query_params:
            raise self.refuse(100, "There is no such object.", undocumented=True)

    def approved(self, template: Template) -> Approved:
        found = self.templates.get((template.name, template.language.code))
        if found is None:
            raise self.refuse(132001, f"{template.name} does not exist in {template.language.code}")
        if template.counts() != (found.header, found.body, found.buttons):
            raise self.refuse(132000, f"{template.counts()} do not match {found}")
        return found

    def check_pair_rate(self, to: str) -> None:
        now = self.clock()
        if self.pair_limit and to in self._last and now - self._last[to] < PAIR_INTERVAL:
            raise self.refuse(131056)
        self._last[to] = now
