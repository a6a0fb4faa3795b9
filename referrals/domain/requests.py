"""Bodies of the requests that are not events: a publication and a wallet redemption."""

from typing import Literal, Self

from pydantic import (
    model_validator,
)

from referrals.domain.event_fields import Amount, CodeText, Text
from referrals.domain.events import Customer
from referrals.domain.money import Currency, parse_amount, parse_points
from referrals.domain.strict_model import StrictModel


class WalletRedemption(StrictModel):
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


class PublicationRequest(StrictModel):
    """The body of a publication: assign a code (a new one, or the named one) to a customer."""

    customer: Customer
    channel: Text | None = None
    code: CodeText | None = None
