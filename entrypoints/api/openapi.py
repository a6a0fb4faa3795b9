"""OpenAPI schemas of events and their responses, which routes read and write as plain JSON."""

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field
from pydantic.json_schema import models_json_schema

from referrals.channels.http_statuses import MessageStatusReport
from referrals.domain.event_fields import Text
from referrals.domain.events import Envelope, FriendConverted, parse_event
from referrals.domain.order_events import Order
from referrals.domain.requests import PublicationRequest
from referrals.domain.states import Decision, RewardState
from referrals.domain.strict_model import StrictModel
from referrals.store import views
from referrals.store.views import Reason

REF = "#/components/schemas/{model}"
BATCH = "application/cloudevents-batch+json"
PROBLEM_TYPE = "application/problem+json"
MAX_BATCH_SIZE = 1000
MAX_CODES = 10_000


class RewardSummary(StrictModel):
    """A reward of a decision. It is granted at `due_at` unless it is voided; `amount` is in major units."""

    id: str
    """Id of the reward."""
    side: views.Side
    """Side of the recipient."""
    type: views.RewardType
    """Type of the reward."""
    amount: views.AmountText
    """Amount in points or in units of the currency; 1 for a coupon."""
    currency: views.CurrencyCode | None
    """ISO 4217 code of the currency; null for points and coupons."""
    state: RewardState
    """Current state."""
    due_at: datetime | None
    """Time at which it is granted."""


class FieldWarning(StrictModel):
    """Field that was left out, or that is of less use than it should be."""

    field: str
    """Path of the field, such as `data.order.amount`."""
    message: str
    """Explanation of the warning."""


class Publication(StrictModel):
    """A code with its link, and a link per share channel whose clicks are counted for that channel."""

    campaign: str
    """Slug of the campaign."""
    customer: str
    """The caller's id of the advocate."""
    code: str
    """Referral code."""
    link: str
    """Referral link."""
    share: dict[str, str]
    """Links by channel, whose clicks are counted for that channel."""


class AppliedDiscount(StrictModel):
    """The friend's coupon on the order of the conversion: what it takes off, its code, and its terms.

    `amount` is 0 below `min_order`. A check has no code.
    """

    kind: Literal["percent", "amount", "free_shipping", "product"]
    """Kind of the discount."""
    amount: views.AmountText
    """Amount off the order."""
    currency: views.CurrencyCode
    """ISO 4217 code of the currency."""
    code: str | None
    """Code of the coupon; null in a check."""
    percent: int | str | None = None
    """Percentage of the order."""
    max_amount: views.AmountText | None = None
    """Maximum that it takes off."""
    min_order: views.AmountText | None = None
    """Least amount of the order."""


class CouponCodes(StrictModel):
    """Coupon codes to import."""

    codes: Annotated[tuple[str, ...], Field(max_length=MAX_CODES)]
    """Codes, each new to the campaign."""


class PublicationResult(Publication):
    """Response to a publication."""

    warnings: list[FieldWarning]
    """Details of the customer that were left out or are of less use than they should be."""


class OrderEffect(StrictModel):
    """Effect of an order event on a referral; both ids are null for an order that no conversion has named yet."""

    campaign: str | None
    """Slug of the campaign."""
    referral: str | None
    """Id of the referral."""
    effect: Literal["kept", "rolled_back", "reinstated", "unknown_order"]
    """Effect on the referral."""


class EventResult(StrictModel):
    """Decision about an event.

    A registration has `publications`, a conversion with a coupon its `discount`, an order event `effects` and no decision.
    """

    event: str | None
    """The caller's id of the event; null in a check."""
    referral: str | None
    """Id of the referral, if the event led to one."""
    decision: Decision | None
    """The decision; null for events that need none."""
    reason: Reason | None
    """Reason for the decision, if it is not `accepted`."""
    rewards: list[RewardSummary]
    """Rewards of the decision."""
    warnings: list[FieldWarning]
    """Fields that were left out or are of less use than they should be."""
    discount: AppliedDiscount | None = None
    """Discount of the coupon on the order."""
    publications: tuple[Publication, ...] = ()
    """Codes that a registration published."""
    effects: tuple[OrderEffect, ...] = ()
    """Changes by an order event, once per referral."""


class QueuedEvent(StrictModel):
    """The event is stored and will be processed once. Send it again to get the result."""

    event: str | None
    """The caller's id of the event; null for a command."""
    state: Literal["queued"]
    """Always `queued`."""
    warnings: list[FieldWarning]
    """Fields that were left out or are of less use than they should be."""


class FieldError(StrictModel):
    """Field at fault; for files with its line."""

    field: str
    """Path of the field, such as `data.order.amount`."""
    message: str
    """Explanation of the fault."""
    line: int | None = None
    """Line of the file."""


class ProblemDocument(StrictModel):
    """Problem document (RFC 9457). `type` is stable; `docs/errors.md` lists all types."""

    type: str
    """Stable type, such as `urn:referrals:problem:unknown-campaign`."""
    title: str
    """Name of the type for people."""
    status: int
    """HTTP status."""
    detail: str
    """Explanation of this occurrence."""
    errors: tuple[FieldError, ...] = ()
    """Fields at fault."""


class EventProblem(ProblemDocument):
    """Problem of one event in a batch, with the event's id if it has one."""

    event: str | None = None
    """The caller's id of the event."""


QUEUED: dict[int | str, dict[str, Any]] = {
    202: {"model": QueuedEvent, "description": "Queued; will be processed once."}
}


FILE = {"type": "string", "format": "binary"}
"""Schema of a file as the body of a request."""
PROBLEM = {"$ref": REF.format(model="ProblemDocument")}


def _event(kind: str, number: str, data: dict[str, Any]) -> dict[str, Any]:
    envelope = {"specversion": "1.0", "id": number, "source": "shop", "type": kind}
    return envelope | {"time": "2026-03-04T10:00:00Z", "data": data}


_ADA = {"id": "ada", "name": "Ada", "email": "ada@example.com", "consent": ["email"]}
_FAY = {"id": "fay", "name": "Fay", "email": "fay@example.com", "consent": ["email"]}
_ORDER = {
    "id": "7781",
    "amount": "119.90",
    "currency": "EUR",
    "items": [{"sku": "sku-4", "quantity": 1, "amount": "119.90"}],
}
_CODE = {"code": "ADA-2026"}

EXAMPLES = {
    example["type"]: example
    for example in (
        _event("customer_registered", "registered-ada", {"customer": _ADA}),
        _event("customer_merged", "merged-guest-7", {"customer": {"id": "ada"}, "from": "guest-7"}),
        _event("referral_link_shared", "share-1", _CODE | {"channel": "whatsapp"}),
        _event("referral_link_clicked", "click-1", _CODE | {"channel": "link"}),
        _event("referral_signed_up", "sign-up-fay", _CODE | {"friend": _FAY}),
        _event("referral_converted", "order-7781", _CODE | {"friend": _FAY, "order": _ORDER}),
        _event("order_updated", "update-7781", {"order": _ORDER | {"amount": "99.90"}}),
        _event(
            "order_refunded",
            "refund-7781",
            {"order": {"id": "7781"}, "refund": {"id": "re_1", "amount": "40.00"}},
        ),
        _event("order_cancelled", "cancel-7781", {"order": {"id": "7781"}}),
        _event("order_reinstated", "reinstate-7781", {"order": {"id": "7781"}}),
    )
}
"""One example per event type, of one story: ada refers fay, who orders and refunds."""

CONVERSION = "referral_converted"


class Cart(Order):
    """An order that has not been placed yet: it needs no id."""

    id: Text = "cart"


class ConversionCheck(FriendConverted):
    """`data` of a conversion that may never happen."""

    order: Cart | None = None


_DATA = {kind: type(parse_event(example).data) for kind, example in EXAMPLES.items()}


def event_schemas() -> dict[str, Any]:
    """Return the schemas that no signature of a route mentions."""
    events = dict.fromkeys(_DATA.values())
    models: list[type[BaseModel]] = [
        Envelope,
        *events,
        ConversionCheck,
        PublicationRequest,
        MessageStatusReport,
        ProblemDocument,
        EventProblem,
    ]
    _, found = models_json_schema([(m, "validation") for m in models], ref_template=REF)
    schemas: dict[str, Any] = found["$defs"]
    envelope = schemas.pop(Envelope.__name__)
    for data in events:
        schemas[f"{data.__name__}Event"] = _event_schema(envelope, data)
    refs = {kind: REF.format(model=f"{data.__name__}Event") for kind, data in _DATA.items()}
    schemas["Event"] = {
        "description": "A CloudEvent of one of the known types, or of a type that a campaign converts on.",
        "oneOf": [{"$ref": ref} for ref in dict.fromkeys(refs.values())],
        "discriminator": {"propertyName": "type", "mapping": refs},
    }
    return schemas


def _event_schema(envelope: dict[str, Any], data: type[BaseModel]) -> dict[str, Any]:
    """Return the schema of the events with this data."""
    allowed: dict[str, Any] = {"enum": [kind for kind, model in _DATA.items() if model is data]}
    if data is _DATA[CONVERSION]:
        description = f"{CONVERSION}, or the custom event that a campaign converts on."
        others = [kind for kind in _DATA if kind != CONVERSION]
        allowed = {"description": description, "not": {"enum": others}}
    properties = envelope["properties"] | {
        "type": envelope["properties"]["type"] | allowed,
        "data": {
            "$ref": REF.format(model=data.__name__),
            "description": "Details of the event, by its type.",
        },
    }
    return envelope | {
        "title": f"{data.__name__}Event",
        "properties": properties,
        "required": [*envelope["required"], "data"],
    }


_EVENT = {"$ref": REF.format(model="Event")}
_EVENTS = {"type": "array", "maxItems": MAX_BATCH_SIZE, "items": _EVENT}
# One content type, because generated clients choose between several by the type of the body, which lists do not have.
EVENTS_BODY = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {
                "schema": {"anyOf": [_EVENT, _EVENTS]},
                "examples": {kind: {"value": example} for kind, example in EXAMPLES.items()}
                | {"batch": {"value": [EXAMPLES["referral_signed_up"], EXAMPLES[CONVERSION]]}},
            },
        },
    }
}
MESSAGE_STATUS_BODY = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {
                "schema": {"$ref": REF.format(model=MessageStatusReport.__name__)},
                "example": {"key": "spring/nudge_friend/ref_1/0", "status": "delivered"},
            }
        },
    }
}
PUBLICATION_BODY = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {
                "schema": {"$ref": REF.format(model=PublicationRequest.__name__)},
                "example": {"customer": {"id": "ada", "name": "Ada"}, "code": "ADA-2026"},
            }
        },
    }
}
CHECK_BODY = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {
                "schema": {"$ref": REF.format(model=ConversionCheck.__name__)},
                "example": _CODE
                | {"friend": {"id": "fay"}, "order": {"amount": "119.90", "currency": "EUR"}},
            }
        },
    }
}
