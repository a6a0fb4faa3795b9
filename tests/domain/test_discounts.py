"""Discounts of coupons."""

from decimal import ROUND_HALF_UP, Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from referrals.domain.discounts import Discount
from referrals.domain.events import Order
from referrals.domain.money import decimals_of, format_amount

CURRENCIES = st.sampled_from(["EUR", "JPY", "KWD"])
MINOR = st.integers(0, 10**12 - 1)
PERCENT = st.integers(1, 100)
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
        amount,
        {"free_shipping": True},
        {"product": draw(SKUS)},
    ]
    return Discount.model_validate(draw(st.sampled_from(kinds)))


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
    exact = Decimal(paid.amount) * percent / 100
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
        ({"amount": "10.00", "currency": "EUR"}, "EUR 10.00 off"),
        ({"free_shipping": True}, "free shipping"),
        ({"product": "sku-4"}, "sku-4 for free"),
    ],
)
def test_a_discount_has_a_description(discount, words):
    assert Discount.model_validate(discount).describe() == words
