"""Discounts of coupons."""

from contextlib import suppress
from decimal import Decimal, InvalidOperation
from typing import Annotated, Any, Literal, Self

from pydantic import (
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationInfo,
    WithJsonSchema,
    field_validator,
    model_validator,
)

from referrals.domain.campaign_fields import Flag, MoneyAmount, SingleLine, Slug, check_money
from referrals.domain.durations import Duration
from referrals.domain.key_relations import absent, all_of, given, has
from referrals.domain.money import Currency, normalise_decimal, parse_amount
from referrals.domain.order_events import Order
from referrals.domain.strict_model import StrictModel

Kind = Literal["percent", "amount", "free_shipping", "product"]
MAX_PERCENT = 100


def _percent(value: Any) -> int | str | None:
    """Return a whole percentage as an integer, any other as a decimal string without trailing zeros."""
    if value is None:
        return None
    number = _number(value)
    if not number.is_finite() or not 0 < number <= MAX_PERCENT or number != round(number, 2):
        raise ValueError(f"must be more than 0 and at most {MAX_PERCENT}, with at most 2 decimals")
    return int(number) if number == int(number) else f"{number.normalize():f}"


def _number(value: Any) -> Decimal:
    """Return a number or decimal string as a decimal, NaN if it is neither."""
    with suppress(ValueError, InvalidOperation):
        if isinstance(value, str):
            return Decimal(normalise_decimal(value))
        if isinstance(value, int | float) and not isinstance(value, bool):
            return Decimal(str(value))
    return Decimal("NaN")


Percent = Annotated[
    int | str,
    BeforeValidator(_percent),
    WithJsonSchema(
        {
            "title": "Percentage",
            "description": "More than 0 and at most 100, with at most 2 decimals.",
            "anyOf": [
                {"type": "number", "exclusiveMinimum": 0, "maximum": MAX_PERCENT},
                {"type": "string", "pattern": r"^(?=.*[1-9])\s*0*[0-9]{1,3}(\.[0-9]{1,2}0*)?\s*$"},
            ],
            "examples": [20, 12.5],
        }
    ),
]


class Discount(StrictModel):
    """Exactly one of: a percentage of the order, an amount of money, free shipping, or one free product by its SKU.

    `max_amount` is the most that a percentage takes off; `min_order` is the least that has to be spent. With either, the
    discount applies to orders in its currency only.
    """

    model_config = ConfigDict(
        json_schema_extra=all_of(
            {
                "oneOf": [
                    given("percent"),
                    given("amount"),
                    has("free_shipping", True),
                    given("product"),
                ]
            },
            {"anyOf": [absent("max_amount"), given("percent")]},
            {
                "anyOf": [
                    absent("currency", "amount", "max_amount", "min_order"),
                    given("currency", "amount"),
                    given("currency", "max_amount"),
                    given("currency", "min_order"),
                ]
            },
        )
    )

    percent: Percent | None = None
    """Percentage of the order."""
    currency: Currency | None = None
    """Currency of `amount`, `max_amount` and `min_order`."""
    amount: str | None = None
    """Amount of money."""
    max_amount: str | None = None
    """The most that a percentage takes off."""
    min_order: str | None = None
    """The least that has to be spent."""
    free_shipping: Flag = False
    """Free shipping."""
    product: SingleLine | None = Field(None, examples=["mug-4"])
    """SKU of one free product."""

    @field_validator(
        "amount", "max_amount", "min_order", mode="plain", json_schema_input_type=MoneyAmount | None
    )
    @classmethod
    def _money(cls, amount: Any, info: ValidationInfo) -> str | None:
        if amount is None or "currency" not in info.data:
            return None
        if info.data["currency"] is None:
            raise ValueError("must have a currency, such as EUR")
        return check_money(amount, info.data["currency"])

    @model_validator(mode="after")
    def _is_one_kind_of_discount(self) -> Self:
        given = [self.percent, self.amount, self.free_shipping or None, self.product]
        if sum(value is not None for value in given) != 1:
            raise ValueError("must have one of percent, amount, free_shipping and product")
        if self.max_amount and self.percent is None:
            raise ValueError("must have max_amount only with percent")
        if self.currency and not (self.amount or self.max_amount or self.min_order):
            raise ValueError("must have a currency only with amount, max_amount or min_order")
        return self

    @property
    def kind(self) -> Kind:
        if self.percent is not None:
            return "percent"
        if self.amount is not None:
            return "amount"
        return "product" if self.product is not None else "free_shipping"

    @property
    def terms(self) -> dict[str, Any]:
        """The percentage, cap and least spend, as far as there are any."""
        return self.model_dump(include={"percent", "max_amount", "min_order"}, exclude_none=True)

    def on(self, order: Order) -> int:
        """Return the discount on the order, in minor units of its currency and at most the order's amount.

        A percentage is rounded half up. The discount is 0 for an order in another currency or below `min_order`, for a
        product that is not in the order, and for free shipping, whose cost is unknown.
        """
        if self.refusal(order.currency, order.minor):
            return 0
        if self.percent is not None:
            hundredths = int(Decimal(self.percent) * 100)
            return min((order.minor * hundredths + 5_000) // 10_000, self._cap(order))
        if self.amount is not None:
            return min(parse_amount(self.amount, order.currency), order.minor)
        if self.product is not None:
            return min(_price(order, self.product), order.minor)
        return 0

    def refusal(self, currency: str, minor: int) -> str | None:
        """Return why the discount does not apply to an order of this amount, in minor units, if it does not."""
        if self.currency is None:
            return None
        if currency != self.currency:
            return f"The coupon is for orders in {self.currency}."
        if self.min_order and minor < parse_amount(self.min_order, self.currency):
            return f"The coupon is for orders from {self.currency} {self.min_order}."
        return None

    def _cap(self, order: Order) -> int:
        return parse_amount(self.max_amount, order.currency) if self.max_amount else order.minor

    def describe(self) -> str:
        """Return a description such as "20% off, at most EUR 50.00, for orders from EUR 80.00"."""
        cap = f", at most {self.currency} {self.max_amount}" if self.max_amount else ""
        least = f", for orders from {self.currency} {self.min_order}" if self.min_order else ""
        return f"{self._describe_kind()}{cap}{least}"

    def _describe_kind(self) -> str:
        match self.kind:
            case "percent":
                return f"{self.percent}% off"
            case "amount":
                return f"{self.currency} {self.amount} off"
            case "product":
                return f"{self.product} for free"
        return "free shipping"


class CouponTerms(StrictModel):
    """Terms of a coupon: its discount, the source of its code, and its validity after issue."""

    discount: Discount
    pool: Slug | None = None
    pattern: str | None = None
    valid_for: Duration | None = None


def _price(order: Order, sku: str) -> int:
    """Return the amount of the first item with this SKU that has an amount."""
    amounts = (item.amount for item in order.items if item.sku == sku and item.amount)
    return parse_amount(next((a for a in amounts if not a.startswith("-")), "0"), order.currency)
