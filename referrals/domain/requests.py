"""Bodies of the requests that are not events: a publication and a wallet redemption."""

from collections.abc import Iterator
from typing import Any, Literal, Self

from pydantic import Field, ValidationInfo, field_validator, model_validator

from referrals.domain.campaign_fields import raise_field_errors
from referrals.domain.event_fields import NewCode, Text, TypedCode
from referrals.domain.events import Customer
from referrals.domain.lenient_parsing import NEEDED, FieldWarning, parse_leniently, summarise
from referrals.domain.money import Amount, Currency, parse_amount, parse_points
from referrals.domain.strict_model import StrictModel
from referrals.errors import InvalidRequestError


class OrderTotal(StrictModel):
    """The amount of an order, in its currency."""

    currency: Currency
    amount: Amount

    @field_validator("amount")
    @classmethod
    def _fits_currency(cls, amount: str, info: ValidationInfo) -> str:
        if currency := info.data.get("currency"):
            parse_amount(amount, currency)
        return amount

    @property
    def minor(self) -> int:
        """Amount in minor units of the currency."""
        return parse_amount(self.amount, self.currency)


class WalletRedemption(StrictModel):
    """Body of a wallet redemption: an amount or a coupon. `key` is the caller's idempotency key, such as the order id.

    A coupon with an `order` is redeemed only if its terms allow this order.
    """

    key: Text
    coupon: TypedCode | None = None
    order: OrderTotal | None = None
    type: Literal["points", "gift_credit"] | None = None
    currency: Currency | None = None
    amount: Amount | None = None
    memo: Text = "Spent"

    @model_validator(mode="after")
    def _is_amount_or_coupon(self) -> Self:
        raise_field_errors((((field,), message) for field, message in self._mistakes()))
        return self

    def _mistakes(self) -> Iterator[tuple[str, str]]:
        """Yield each field that does not fit the others, with a message."""
        if self.coupon is not None:
            for field in ("type", "currency", "amount"):
                if getattr(self, field) is not None:
                    yield field, "must be left out with a coupon"
        elif self.order is not None:
            yield "order", "must be left out without a coupon"
        elif self.type is None:
            yield "type", "is required without a coupon"
        elif self.amount is None:
            yield "amount", "is required without a coupon"
        elif self.type == "gift_credit" and self.currency is None:
            yield "currency", "is required for gift credit"
        elif self.type == "points" and self.currency is not None:
            yield "currency", "must be left out for points"
        else:
            yield from self._mistaken_amount()

    def _mistaken_amount(self) -> Iterator[tuple[str, str]]:
        try:
            if self.minor <= 0:
                yield "amount", "must be more than zero"
        except ValueError as error:
            yield "amount", str(error)

    @property
    def minor(self) -> int:
        """Amount in points, or in minor units of the currency."""
        amount = self.amount or "0"
        return parse_amount(amount, self.currency) if self.currency else parse_points(amount)


class MergeRequest(StrictModel):
    """Body of a merge: the id `from` belongs to the customer from now on. A preview changes nothing."""

    merged: Text = Field(alias="from")
    reason: Text | None = None
    preview: bool = False


class PublicationRequest(StrictModel):
    """Body of a publication: assign a code to a customer. Without `code` a code is generated."""

    customer: Customer
    channel: Text | None = None
    code: NewCode | None = None


def parse_publication(raw: Any) -> tuple[PublicationRequest, list[FieldWarning]]:
    """Parse the body of a publication. Return it, and warnings about the customer's details.

    Raises:
        InvalidRequestError: the customer's id or the code cannot be understood.
    """
    needed = NEEDED | {"code"}
    body, left_out = parse_leniently(
        PublicationRequest.model_validate, raw, InvalidRequestError, needed
    )
    return body, [*summarise(left_out), *body.customer.contact_warnings("customer")]
