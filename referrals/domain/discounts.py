"""Discounts of coupons."""

from typing import Annotated, Any, Literal, Self

from pydantic import Field, ValidationInfo, field_validator, model_validator

from referrals.domain.campaign_fields import Flag, SingleLine, Slug, check_money
from referrals.domain.durations import Duration
from referrals.domain.events import Order
from referrals.domain.money import Currency, parse_amount
from referrals.domain.strict_model import StrictModel

Kind = Literal["percent", "amount", "free_shipping", "product"]
Percent = Annotated[int, Field(strict=True, ge=1, le=100)]


class Discount(StrictModel):
    """Exactly one of: a percentage of the order, an amount of money, free shipping, or one free product by its SKU."""

    percent: Percent | None = None
    currency: Currency | None = None
    amount: str | None = None
    free_shipping: Flag = False
    product: SingleLine | None = None

    @field_validator("amount", mode="plain", json_schema_input_type=str)
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
        if self.currency and self.amount is None:
            raise ValueError("must have a currency only with an amount")
        return self

    @property
    def kind(self) -> Kind:
        if self.percent is not None:
            return "percent"
        if self.amount is not None:
            return "amount"
        return "product" if self.product is not None else "free_shipping"

    def on(self, order: Order) -> int:
        """Return the discount on the order, in minor units of its currency and at most the order's amount.

        A percentage is rounded half up. The discount is 0 for an amount in another currency, for a product that is
        not in the order, and for free shipping, whose cost is unknown.
        """
        if self.percent is not None:
            return (order.minor * self.percent + 50) // 100
        if self.amount is not None and self.currency == order.currency:
            return min(parse_amount(self.amount, order.currency), order.minor)
        if self.product is not None:
            return min(_price(order, self.product), order.minor)
        return 0

    def describe(self) -> str:
        """Return a description such as "20% off"."""
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
