"""Orders in events: the purchase of a conversion, and the events of its life."""

from typing import Annotated

from pydantic import (
    Field,
    ValidationError,
    ValidationInfo,
    field_validator,
)
from pydantic_core import InitErrorDetails, PydanticCustomError

from referrals.domain.event_fields import (
    CampaignSlug,
    CleanJson,
    Quantity,
    Text,
    at_most,
)
from referrals.domain.money import Amount, Currency, SignedAmount, format_amount, parse_amount
from referrals.domain.strict_model import StrictModel


class OrderItem(StrictModel):
    """A line of an order. A discount is a line with a negative amount."""

    sku: Text | None = None
    """Article number."""
    name: Text | None = None
    """Name of the article."""
    quantity: Quantity = 1
    """Quantity."""
    amount: SignedAmount | None = None
    """Amount of the line."""
    attributes: dict[Text, CleanJson] = Field({})
    """Additional fields that rules read."""


class Order(StrictModel):
    """A purchase. `amount` is the amount before refunds, in `currency`. `source` defaults to the event's."""

    id: Text
    """Id of the order, unique for its source."""
    source: Text | None = None
    """System that the order belongs to; defaults to the event's source."""
    currency: Currency
    """ISO 4217 code of the currency."""
    amount: Amount
    """Amount before refunds."""
    items: Annotated[tuple[OrderItem, ...], Field(max_length=1000), at_most(1000)] = ()
    """Lines."""
    attributes: dict[Text, CleanJson] = Field({})
    """Additional fields that rules read."""

    @field_validator("amount")
    @classmethod
    def _in_currency(cls, amount: str, info: ValidationInfo) -> str:
        """Return the amount with the decimals of its currency."""
        currency = info.data.get("currency")
        return format_amount(parse_amount(amount, currency), currency) if currency else amount

    @field_validator("items")
    @classmethod
    def _items_in_currency(
        cls, items: tuple[OrderItem, ...], info: ValidationInfo
    ) -> tuple[OrderItem, ...]:
        """Return the lines with the decimals of the currency. An error names the line."""
        currency = info.data.get("currency")
        if currency is None:
            return items
        lines = [_line_in_currency(index, item, currency) for index, item in enumerate(items)]
        if errors := [line for line in lines if not isinstance(line, OrderItem)]:
            raise ValidationError.from_exception_data(cls.__name__, errors)
        return tuple(line for line in lines if isinstance(line, OrderItem))

    @property
    def minor(self) -> int:
        """Amount in minor units of the currency."""
        return parse_amount(self.amount, self.currency)


def _line_in_currency(index: int, item: OrderItem, currency: str) -> OrderItem | InitErrorDetails:
    """Return the line with the decimals of the currency, or the error if its amount has more."""
    if item.amount is None:
        return item
    sign = -1 if item.amount.startswith("-") else 1
    try:
        minor = sign * parse_amount(item.amount.removeprefix("-"), currency)
    except ValueError as error:
        problem = PydanticCustomError("value_error", "{error}", {"error": str(error)})
        return InitErrorDetails(type=problem, loc=(index, "amount"), input=item.amount)
    return item.model_copy(update={"amount": format_amount(minor, currency)})


class OrderReference(StrictModel):
    """An order by its id. `source` is that of the order's conversion; it defaults to the event's."""

    id: Text
    """Id of the order."""
    source: Text | None = None
    """System that the order belongs to; defaults to the event's source."""


class RefundedOrder(OrderReference):
    """The order of a refund. `amount` is the refunded part if the event has no `refund.amount`."""

    amount: Amount | None = None
    """Refunded part; all by default."""


class UpdatedOrder(Order):
    """The order as it is now, before refunds. Items and attributes that are left out stay as they were."""


class Refund(StrictModel):
    """A refund, counted once for its id. Without an amount it is of the whole order."""

    id: Text
    """Id of the refund, unique for its source."""
    amount: Amount | None = None
    """Refunded part; all by default."""


class OrderEvent(StrictModel):
    """An event of an order. It is about all referrals of the order; `campaign` only says where it belongs in lists."""

    campaign: CampaignSlug | None = None
    """Slug of the campaign, for lists."""


class OrderChanged(OrderEvent):
    """An order that was cancelled, or that was reinstated after a cancellation or refund."""

    order: OrderReference
    """The order."""


class OrderUpdated(OrderEvent):
    """An order whose amount or items changed."""

    order: UpdatedOrder
    """The order as it is now."""


class OrderRefunded(OrderEvent):
    """A refund of an order, of all of it unless an amount is given."""

    order: RefundedOrder
    """The order."""
    refund: Refund | None = None
    """The refund."""

    @field_validator("refund")
    @classmethod
    def _one_amount(cls, refund: Refund | None, info: ValidationInfo) -> Refund | None:
        order: RefundedOrder | None = info.data.get("order")
        if refund and refund.amount and order and order.amount:
            raise ValueError("must have no amount beside order.amount, which is the refunded part")
        return refund
