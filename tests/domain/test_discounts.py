"""Discounts of coupons."""

from decimal import ROUND_HALF_UP, Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from referrals.domain.discounts import Discount
from referrals.domain.money import decimals_of, format_amount
from referrals.domain.order_events import Order

CURRENCIES = st.sampled_from(["EUR", "JPY", "KWD"])
MINOR = st.integers(0, 10**12 - 1)
PERCENT = st.integers(1, 10_000).map(lambda hundredths: str(Decimal(hundredths) / 100))
SKUS = st.sampled_from(["sku-1", "sku-2", "sku-3"])


@st.composite
def orders(draw):
    currency = draw(CURRENCIES)
    items = draw(st.lists(st.tuples(SKUS, st.none() | MINOR), max_size=4))
    return Order.model_validate(
        {
            "id": "1",
            "amount": format_amount(draw(MINOR), currency),
            "currency": currency,
            "items": [
                {"sku": sku, "amount": None if minor is None else format_amount(minor, currency)}
                for sku, minor in items
            ],
        }
    )


@st.composite
def discounts(draw):
    currency = draw(CURRENCIES)
    amount = {
        "amount": format_amount(draw(st.integers(1, 10**12 - 1)), currency),
        "currency": currency,
    }
    kinds = [
        {"percent": draw(PERCENT)},
        {"percent": draw(PERCENT), "max_amount": amount["amount"], "currency": currency},
        amount,
        {"free_shipping": True},
        {"product": draw(SKUS)},
    ]
    least = {
        "min_order": format_amount(draw(st.integers(1, 10**6)), currency),
        "currency": currency,
    }
    return Discount.model_validate(
        draw(st.sampled_from(kinds)) | draw(st.sampled_from([{}, least]))
    )


def order(amount="100.00", currency="EUR", items=()):
    order = {"id": "1", "amount": amount, "currency": currency, "items": list(items)}
    return Order.model_validate(order)


def off(discount, paid):
    return Discount.model_validate(discount).on(paid)


@given(discounts(), orders())
def test_a_discount_is_never_negative_and_never_more_than_the_order(discount, paid):
    assert 0 <= discount.on(paid) <= paid.minor


@given(PERCENT, orders())
def test_a_percentage_is_rounded_half_up_to_the_minor_unit(percent, paid):
    exact = Decimal(paid.amount) * Decimal(percent) / 100
    rounded = exact.quantize(Decimal(1).scaleb(-decimals_of(paid.currency)), ROUND_HALF_UP)

    assert Decimal(format_amount(off({"percent": percent}, paid), paid.currency)) == rounded


@given(discounts())
def test_a_discount_survives_json(discount):
    assert Discount.model_validate(discount.model_dump(mode="json")) == discount
    assert Discount.model_validate(discount.model_dump(exclude_defaults=True)) == discount


@pytest.mark.parametrize(
    ("discount", "paid", "minor"),
    [
        ({"percent": 20}, order("119.90"), 2398),
        ({"percent": 50}, order("0.01"), 1),
        ({"percent": 100}, order("119.90"), 11990),
        ({"percent": 15}, order("103", "JPY"), 15),
        ({"percent": "12.5"}, order("119.90"), 1499),
        ({"percent": 12.5}, order("0.04"), 1),
        ({"percent": "33.33"}, order("100.00"), 3333),
        ({"percent": 20, "max_amount": "50.00", "currency": "EUR"}, order("249.99"), 5000),
        ({"percent": 20, "max_amount": "50.00", "currency": "EUR"}, order("249.90"), 4998),
        ({"percent": 20, "max_amount": "50.00", "currency": "EUR"}, order("100", "JPY"), 0),
        ({"percent": 20, "min_order": "80.00", "currency": "EUR"}, order("79.99"), 0),
        ({"percent": 20, "min_order": "80.00", "currency": "EUR"}, order("80.00"), 1600),
        ({"amount": "10.00", "min_order": "80.00", "currency": "EUR"}, order("79.99"), 0),
        ({"product": "tea", "min_order": "80.00", "currency": "EUR"}, order("90", "JPY"), 0),
        ({"amount": "10.00", "currency": "EUR"}, order(), 1000),
        ({"amount": "10.00", "currency": "EUR"}, order("7.50"), 750),
        ({"amount": "10.00", "currency": "EUR"}, order("100", "JPY"), 0),
        ({"free_shipping": True}, order(), 0),
        ({"product": "tea"}, order(), 0),
        ({"product": "tea"}, order(items=[{"sku": "tea"}]), 0),
        ({"product": "tea"}, order(items=[{"sku": "mug", "amount": "9.00"}, {"sku": "tea", "amount": "4.50"}]), 450),
    ],
)  # fmt: skip
def test_what_comes_off(discount, paid, minor):
    assert off(discount, paid) == minor


@pytest.mark.parametrize(
    ("discount", "words"),
    [
        ({"percent": 20}, "20% off"),
        ({"percent": 20.0}, "20% off"),
        ({"percent": "20.00"}, "20% off"),
        ({"percent": "12.50"}, "12.5% off"),
        ({"percent": 10, "max_amount": "50.00", "currency": "EUR"}, "10% off, at most EUR 50.00"),
        ({"free_shipping": True, "min_order": "80.00", "currency": "EUR"}, "free shipping, for orders from EUR 80.00"),
        ({"amount": "10.00", "currency": "EUR"}, "EUR 10.00 off"),
        ({"free_shipping": True}, "free shipping"),
        ({"product": "sku-4"}, "sku-4 for free"),
    ],
)  # fmt: skip
def test_a_discount_has_a_description(discount, words):
    assert Discount.model_validate(discount).describe() == words


@pytest.mark.parametrize(
    ("discount", "message"),
    [
        ({"percent": 0}, "must be more than 0 and at most 100"),
        ({"percent": "100.5"}, "must be more than 0 and at most 100"),
        ({"percent": "12.555"}, "with at most 2 decimals"),
        ({"percent": True}, "must be more than 0"),
        ({"percent": "1e1000"}, "must be more than 0"),
        ({"percent": "NaN"}, "must be more than 0"),
        ({"percent": "ten"}, "must be more than 0"),
        ({"percent": 20, "max_amount": "50.00"}, "must have a currency, such as EUR"),
        ({"percent": 20, "min_order": "0.00", "currency": "EUR"}, "must be more than zero"),
        ({"percent": 20, "currency": "EUR"}, "must have a currency only with amount"),
        (
            {"amount": "5.00", "max_amount": "4.00", "currency": "EUR"},
            "max_amount only with percent",
        ),
    ],
)
def test_a_mistake_in_a_discount_is_named(discount, message):
    with pytest.raises(ValidationError, match=message):
        Discount.model_validate(discount)
