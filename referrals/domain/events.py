"""Incoming events: CloudEvents 1.0 (https://cloudevents.io) whose `data` is validated by type."""

import re
from collections.abc import Iterator
from typing import Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    ValidationInfo,
    create_model,
    field_validator,
    model_validator,
)
from pydantic_core import PydanticCustomError

from referrals.domain.contacts import unreachable_contacts
from referrals.domain.event_fields import (
    CampaignSlug,
    Channel,
    CleanJson,
    ClickId,
    Consents,
    Email,
    EventTime,
    Locale,
    Name,
    Phone,
    Text,
    TimeZone,
    TypedCode,
)
from referrals.domain.event_names import check_event_name
from referrals.domain.field_docs import Described
from referrals.domain.identity import normalise_id
from referrals.domain.lenient_parsing import FieldWarning, parse_leniently, summarise
from referrals.domain.order_events import (
    Order,
    OrderChanged,
    OrderRefunded,
    OrderUpdated,
)
from referrals.domain.strict_model import StrictModel
from referrals.errors import InvalidEventError

_UNREACHABLE = {
    "email": "cannot be written to; it only helps to recognise the customer",
    "phone": "lacks the country, as in +49151…; it only helps to recognise the customer",
}


class Person(StrictModel):
    """Contact details. Missing fields keep their stored values."""

    name: Name | None = None
    """Name."""
    email: Email | None = None
    """Email address."""
    phone: Phone | None = None
    """Phone number with country, such as `+4915112345678`."""
    locale: Locale | None = None
    """Language of messages, such as `de` or `en-GB`."""
    timezone: TimeZone | None = None
    """Time zone, such as `Europe/Berlin`."""
    consent: Consents | None = None
    """Channels for which marketing is allowed."""

    def contact_warnings(self, path: str) -> Iterator[FieldWarning]:
        """Yield a warning for each contact that tells the customer from others, but cannot be written to."""
        for contact in unreachable_contacts(self.email, self.phone):
            yield FieldWarning(f"{path}.{contact}", _UNREACHABLE[contact])


class Customer(Person):
    """A customer, identified by the caller's id, with contact details."""

    id: Text
    """The caller's id of the customer."""


class Friend(Person):
    """A friend, identified by the caller's id, or else by an email or phone.

    `verified` says that the friend has shown that the contact is theirs, such as by following a link in an email.
    """

    id: Annotated[Text | None, Field(validate_default=True)] = None
    """The caller's id of the friend; needed unless email or phone is given."""
    verified: bool = False
    """True if the friend has shown that the contact is theirs."""

    @field_validator("id")
    @classmethod
    def _id_or_contact(cls, own_id: str | None, info: ValidationInfo) -> str | None:
        if own_id is None and not (info.data.get("email") or info.data.get("phone")):
            raise PydanticCustomError("missing", "is required, unless email or phone is given")
        return own_id


class CustomerRegistered(StrictModel):
    """A new or known customer. Publishes a code if the campaign says so."""

    customer: Customer
    """The customer."""
    campaign: CampaignSlug | None = None
    """Slug of the campaign; all campaigns by default."""


class CustomerMerged(StrictModel):
    """A merge: from now on the id `from` belongs to the customer."""

    customer: Customer
    """Customer who stays."""
    merged: Text = Field(alias="from")
    """Id that belongs to the customer from now on."""
    reason: Text | None = None
    """Reason, which is stored."""

    @field_validator("merged")
    @classmethod
    def _another_customer(cls, merged: str, info: ValidationInfo) -> str:
        customer = info.data.get("customer")
        if customer and normalise_id(customer.id) == normalise_id(merged):
            raise ValueError("must not be the customer itself")
        return merged


class LinkShared(StrictModel):
    """An advocate passed the link on."""

    code: TypedCode = ""
    """Referral code."""
    channel: Channel = "link"
    """Channel by which the link was shared."""
    campaign: CampaignSlug | None = None
    """Slug of the campaign."""
    friend: Customer | None = None
    """Friend whom it was shared with."""


class LinkClicked(StrictModel):
    """A visitor opened the link."""

    code: TypedCode = ""
    """Referral code."""
    channel: Channel = "link"
    """Channel by which the link was shared."""
    campaign: CampaignSlug | None = None
    """Slug of the campaign."""


class FriendSignedUp(StrictModel):
    """A friend's sign-up. `click` is the id that the referral link gave the visitor; it replaces a missing code."""

    click: ClickId = None
    """Id of the click that brought the friend, instead of a code."""
    code: TypedCode | None = None
    """Referral code, in any spelling."""
    campaign: CampaignSlug | None = None
    """Slug of the campaign."""
    friend: Friend
    """The friend."""


class FriendConverted(StrictModel):
    """A redemption or a custom event. Rules of the campaign read additional fields as `event.…`."""

    model_config = ConfigDict(extra="allow", frozen=True)
    __pydantic_extra__: dict[Text, CleanJson] = Field(init=False)

    friend: Friend
    """The friend."""
    code: TypedCode | None = None
    """Referral code, in any spelling; not needed after a sign-up."""
    click: ClickId = None
    """Id of the click that brought the friend, instead of a code."""
    campaign: CampaignSlug | None = None
    """Slug of the campaign."""
    order: Order | None = None
    """Purchase of the conversion."""


class Envelope(Described, BaseModel):
    """CloudEvents envelope. `source` and `id` are the idempotency key; extension attributes are ignored."""

    model_config = ConfigDict(frozen=True)

    specversion: Literal["1.0"]
    """Version of CloudEvents."""
    id: Text
    """Id of the event, unique for its source."""
    source: Text
    """System that sends the event, such as `shop`."""
    type: Annotated[str, AfterValidator(check_event_name)]
    """Type of the event."""
    time: EventTime | None = None
    """Time at which it happened; defaults to its receipt."""

    @model_validator(mode="before")
    @classmethod
    def _no_binary(cls, value: Any) -> Any:
        if isinstance(value, dict) and "data_base64" in value:
            raise ValueError("data_base64 is not supported: send data as JSON")
        return value


EventData = (
    CustomerRegistered
    | CustomerMerged
    | LinkShared
    | LinkClicked
    | FriendSignedUp
    | FriendConverted
    | OrderRefunded
    | OrderUpdated
    | OrderChanged
)


class Event(Envelope):
    """An incoming event. `warnings` says what could not be understood, `left_out` where that was left out of `data`."""

    data: EventData
    warnings: tuple[FieldWarning, ...] = ()
    left_out: tuple[str, ...] = ()

    @property
    def person(self) -> tuple[Literal["customer", "friend"], Customer | Friend] | None:
        """Return the person whom the event is about, with the field that names them."""
        if isinstance(self.data, CustomerRegistered | CustomerMerged):
            return "customer", self.data.customer
        if isinstance(self.data, FriendSignedUp | FriendConverted):
            return "friend", self.data.friend
        return None

    def with_warning(self, field: str, message: str) -> Self:
        return self.model_copy(update={"warnings": (*self.warnings, FieldWarning(field, message))})

    @property
    def code(self) -> str | None:
        return getattr(self.data, "code", None)

    @property
    def campaign(self) -> str | None:
        return getattr(self.data, "campaign", None)

    @property
    def order_id(self) -> str | None:
        order = getattr(self.data, "order", None)
        return order.id if order else None


def _event_with(data: type[StrictModel]) -> type[Event]:
    return create_model(f"{data.__name__}Event", __base__=Event, data=(data, ...))


_EVENTS = {
    "customer_registered": _event_with(CustomerRegistered),
    "customer_merged": _event_with(CustomerMerged),
    "referral_link_shared": _event_with(LinkShared),
    "referral_link_clicked": _event_with(LinkClicked),
    "referral_signed_up": _event_with(FriendSignedUp),
    "order_updated": _event_with(OrderUpdated),
    "order_refunded": _event_with(OrderRefunded),
    "order_cancelled": _event_with(OrderChanged),
    "order_reinstated": _event_with(OrderChanged),
}
_CONVERSION_EVENT = _event_with(FriendConverted)
_ATTRIBUTES = (*Envelope.model_fields, "data", "data_base64")
"""Attributes that are read. Extension attributes are ignored."""


def parse_event(raw: Any) -> Event:
    """Parse an event and validate its `data` by type. An unknown type is a custom event with the data of a conversion.

    Raises:
        InvalidEventError: a field that a decision needs is missing or cannot be understood.
    """
    known = {key: raw[key] for key in _ATTRIBUTES if key in raw} if isinstance(raw, dict) else raw
    model = _EVENTS.get(_type_of(known), _CONVERSION_EVENT)
    event, left_out = parse_leniently(model.model_validate, known, InvalidEventError)
    left_out = summarise(left_out)
    paths = tuple(_path_in_rules(event, warning.field) for warning in left_out)
    warnings = (*left_out, *_contact_warnings(event))
    if not warnings:
        return event
    return event.model_copy(update={"warnings": warnings, "left_out": paths})


def _path_in_rules(event: Event, field: str) -> str:
    """Return the path by which conditions read the field: undeclared fields of the data are `event.…`."""
    whole, _, path = field.partition(".")
    if whole != "data":
        return field
    is_declared = re.split(r"[.\[]", path)[0] in type(event.data).model_fields
    return path if is_declared else f"event.{path}".rstrip(".")


def _contact_warnings(event: Event) -> Iterator[FieldWarning]:
    for role in ("customer", "friend"):
        if person := getattr(event.data, role, None):
            yield from person.contact_warnings(f"data.{role}")


def _type_of(raw: Any) -> str:
    return str(raw.get("type")) if isinstance(raw, dict) else ""
