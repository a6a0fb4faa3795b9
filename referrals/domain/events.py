"""The events that come in: CloudEvents 1.0 whose `data` is checked by type.

Source: design, "Events"; the envelope follows https://cloudevents.io.
"""

import re
import unicodedata
from datetime import datetime
from typing import Annotated, Any, Literal, Self
from zoneinfo import ZoneInfo

import phonenumbers
from email_validator import EmailNotValidError, validate_email
from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    JsonValue,
    ValidationInfo,
    create_model,
    field_validator,
    model_validator,
)
from pydantic_core import PydanticCustomError

from referrals.domain.clicks import Channel, carried_click
from referrals.domain.codes import is_code, normalise
from referrals.domain.event_names import check_event_name
from referrals.domain.money import Currency, parse_amount, parse_points

_AMOUNT = re.compile(r"[0-9]{1,12}(\.[0-9]{1,4})?")
MAX_DEPTH = 16


def clean_text(text: str) -> str:
    """Refuse what no store or page can hold: control characters and lone surrogates."""
    if any(unicodedata.category(character) in ("Cc", "Cs") for character in text):
        raise ValueError("must not hold control characters")
    return text


def clean_json(value: JsonValue, depth: int = 0) -> JsonValue:
    """The same for every text of a free-form value, whose depth is bounded too."""
    if depth > MAX_DEPTH:
        raise ValueError(f"must not be nested deeper than {MAX_DEPTH} levels")
    if isinstance(value, str):
        if "\x00" in value or any("\ud800" <= character <= "\udfff" for character in value):
            raise ValueError("must not hold NUL characters or lone surrogates")
    elif isinstance(value, dict):
        for key, item in value.items():
            clean_json(key, depth)
            clean_json(item, depth + 1)
    elif isinstance(value, list):
        for item in value:
            clean_json(item, depth + 1)
    return value


def _email(text: str) -> str:
    try:
        found = validate_email(text, check_deliverability=False, test_environment=True)
    except EmailNotValidError as error:
        raise ValueError(f"is not an e-mail address: {error}") from error
    return found.normalized


def _phone(text: str) -> str:
    try:
        number = phonenumbers.parse(text)
    except phonenumbers.NumberParseException as error:
        raise ValueError("is not a phone number in international form, like +4915112345678") from (
            error
        )
    if not phonenumbers.is_possible_number(number):
        raise ValueError("is not a possible phone number")
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)


def _code(text: str) -> str:
    code = normalise(text)
    if not is_code(code):
        raise ValueError("is not a referral code")
    return code


def _amount(text: str) -> str:
    if not isinstance(text, str) or not _AMOUNT.fullmatch(text):
        raise ValueError(
            'must be a decimal string in quotes such as "119.90": not negative, '
            "at most 12 digits before the point and 4 after it"
        )
    return text


def _time(value: Any) -> Any:
    if isinstance(value, str | datetime):
        return value
    raise ValueError("must be a time with its offset, such as 2026-03-04T10:00:00Z")


Text = Annotated[str, Field(min_length=1, max_length=255), AfterValidator(clean_text)]
Code = Annotated[str, Field(min_length=1, max_length=255), AfterValidator(_code)]
Click = Annotated[str | None, BeforeValidator(carried_click)]
Email = Annotated[str, Field(max_length=254), AfterValidator(_email)]
Phone = Annotated[str, Field(max_length=32), AfterValidator(_phone)]
Amount = Annotated[str, BeforeValidator(_amount)]
Json = Annotated[JsonValue, AfterValidator(clean_json)]
Time = Annotated[AwareDatetime, BeforeValidator(_time)]
Slug = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,62}$")]
Locale = Annotated[str, Field(pattern=r"^[A-Za-z]{2,3}([-_][A-Za-z0-9]{2,8})*$")]


class Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Customer(Model):
    """Who it is, by the caller's own id, and how to reach them; what is left out stays as it was."""

    id: Text
    name: Text | None = None
    email: Email | None = None
    phone: Phone | None = None
    locale: Locale | None = None
    timezone: Text | None = None
    consent: tuple[Literal["email", "whatsapp"], ...] | None = None

    @field_validator("timezone")
    @classmethod
    def _known_zone(cls, zone: str | None) -> str | None:
        if zone is not None:
            try:
                ZoneInfo(zone)
            except (KeyError, ValueError, OSError) as error:
                raise ValueError("is not a time zone such as Europe/Berlin") from error
        return zone


class Item(Model):
    sku: Text
    name: Text | None = None
    quantity: int = Field(1, ge=1, le=1_000_000)
    amount: Amount | None = None
    attributes: dict[Text, Json] = {}


class Order(Model):
    """A purchase; `amount` is what was paid, in `currency`."""

    id: Text
    currency: Currency
    amount: Amount
    items: tuple[Item, ...] = Field((), max_length=1000)
    attributes: dict[Text, Json] = {}

    @field_validator("amount")
    @classmethod
    def _fits_currency(cls, amount: str, info: ValidationInfo) -> str:
        if "currency" in info.data:
            parse_amount(amount, info.data["currency"])
        return amount

    @field_validator("items")
    @classmethod
    def _fit_currency(cls, items: tuple[Item, ...], info: ValidationInfo) -> tuple[Item, ...]:
        for item in items:
            if item.amount and "currency" in info.data:
                parse_amount(item.amount, info.data["currency"])
        return items

    @property
    def minor(self) -> int:
        """The amount in minor units."""
        return parse_amount(self.amount, self.currency)


class OrderReference(Model):
    id: Text
    amount: Amount | None = None


class Registered(Model):
    customer: Customer
    campaign: Slug | None = None


class Shared(Model):
    code: Code
    channel: Channel
    campaign: Slug | None = None
    friend: Customer | None = None


class Clicked(Model):
    code: Code
    channel: Channel = "link"
    campaign: Slug | None = None


class SignedUp(Model):
    """`click` is the id that the referral link gave the visitor; it tells the code where none is named."""

    click: Click = None
    code: Annotated[Code | None, Field(validate_default=True)] = None
    campaign: Slug | None = None
    friend: Customer

    @field_validator("code")
    @classmethod
    def _code_or_click(cls, code: str | None, info: ValidationInfo) -> str | None:
        if code is None and info.data.get("click") is None:
            raise PydanticCustomError("missing", "is required, or a click")
        return code


class Converted(Model):
    """A redemption, or any custom event: what else it carries is for the campaign's rules (`event.…`)."""

    model_config = ConfigDict(extra="allow", frozen=True)
    __pydantic_extra__: dict[Text, Json] = Field(init=False)

    friend: Customer
    code: Code | None = None
    click: Click = None
    campaign: Slug | None = None
    order: Order | None = None


class OrderReversed(Model):
    order: OrderReference
    campaign: Slug | None = None


class Envelope(BaseModel):
    """`id` is the idempotency key; further CloudEvents attributes are let through unread."""

    model_config = ConfigDict(frozen=True)

    specversion: Literal["1.0"]
    id: Text
    source: Text
    type: Annotated[str, AfterValidator(check_event_name)]
    time: Time | None = None

    @model_validator(mode="before")
    @classmethod
    def _no_binary(cls, value: Any) -> Any:
        if isinstance(value, dict) and "data_base64" in value:
            raise ValueError("data_base64 is not supported: send data as JSON")
        return value


Data = Registered | Shared | Clicked | SignedUp | Converted | OrderReversed


class Event(Envelope):
    data: Data


def _event_with(data: type[Model]) -> type[Event]:
    return create_model(f"{data.__name__}Event", __base__=Event, data=(data, ...))


_EVENTS = {
    "customer_registered": _event_with(Registered),
    "referral_link_shared": _event_with(Shared),
    "referral_link_clicked": _event_with(Clicked),
    "referral_signed_up": _event_with(SignedUp),
    "order_refunded": _event_with(OrderReversed),
    "order_cancelled": _event_with(OrderReversed),
}
_CONVERSION_EVENT = _event_with(Converted)


def parse_event(value: Any) -> Event:
    """The event with `data` checked by its type; a type that is none of ours is a custom event, shaped like a conversion.

    Raises pydantic's ValidationError, whose locations start at the envelope (`data.order.amount`).
    """
    kind = value.get("type") if isinstance(value, dict) else None
    return _EVENTS.get(str(kind), _CONVERSION_EVENT).model_validate(value)


class Redeem(Model):
    """The body of a spending, of an amount or of a coupon. `key` is the caller's idempotency key: the order, say."""

    key: Text
    coupon: Text | None = None
    type: Literal["points", "gift_credit"] | None = None
    currency: Currency | None = None
    amount: Amount | None = None
    memo: Text = "Spent"

    @model_validator(mode="after")
    def _more_than_nothing(self) -> Self:
        if self.coupon is not None:
            if self.type or self.currency or self.amount:
                raise ValueError("a coupon has no type, currency and amount: it is redeemed whole")
            return self
        if self.type is None or self.amount is None:
            raise ValueError("must have type and amount, or a coupon")
        if (self.type == "gift_credit") != (self.currency is not None):
            raise ValueError("gift credit has a currency, points have none")
        if self.minor <= 0:
            raise ValueError("amount must be more than zero")
        return self

    @property
    def minor(self) -> int:
        """Points, or minor units of the currency."""
        amount = self.amount or "0"
        return parse_amount(amount, self.currency) if self.currency else parse_points(amount)


class Publish(Model):
    """The body of a publication: assign a code (a new one, or the named one) to a customer."""

    customer: Customer
    channel: Text | None = None
    code: Code | None = None
