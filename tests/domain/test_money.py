import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from referrals.domain.money import (
    CURRENCIES,
    MAX_POINTS,
    Currency,
    decimals_of,
    format_amount,
    parse_amount,
    parse_points,
)

currencies = st.sampled_from(sorted(CURRENCIES))


@pytest.mark.parametrize(
    ("text", "currency", "minor"),
    [
        ("119.90", "EUR", 11990),
        ("119.9", "EUR", 11990),
        ("80", "EUR", 8000),
        ("0.01", "USD", 1),
        ("0", "EUR", 0),
        ("1000", "JPY", 1000),
        ("1.234", "KWD", 1234),
        ("1990.50", "RSD", 199050),
        ("999999999999.99", "EUR", 99999999999999),
    ],
)
def test_a_decimal_string_becomes_minor_units(text, currency, minor):
    assert parse_amount(text, currency) == minor


@pytest.mark.parametrize(
    "text",
    [
        "",
        " 1",
        "1 ",
        "1\n",
        "-1",
        "+1",
        "1e3",
        "1,00",
        "1.",
        ".5",
        "1.2.3",
        "0x10",
        "1_000",
        "NaN",
        "Infinity",
        "\u0661",
        "\uff11",
        "1" * 13,
        "1" * 100_000,
    ],
)
def test_anything_but_a_plain_decimal_string_is_refused(text):
    with pytest.raises(ValueError, match=r'must be a plain decimal string such as "80\.00"'):
        parse_amount(text, "EUR")


@pytest.mark.parametrize(
    ("text", "currency", "message"),
    [
        ("1.234", "EUR", "has 3 decimals, but EUR has 2"),
        ("1.000", "EUR", "has 3 decimals, but EUR has 2"),
        ("1.5", "JPY", "has 1 decimals, but JPY has 0"),
        ("1.0005", "KWD", "has 4 decimals, but KWD has 3"),
    ],
)
def test_decimals_that_the_currency_does_not_have_are_refused(text, currency, message):
    with pytest.raises(ValueError, match=message):
        parse_amount(text, currency)


@given(currencies, st.integers(min_value=0, max_value=10**12 - 1))
def test_an_amount_survives_its_string(currency, minor):
    assert parse_amount(format_amount(minor, currency), currency) == minor


@given(currencies, st.integers(min_value=-(10**15), max_value=10**15))
def test_a_string_has_all_decimals_of_its_currency(currency, minor):
    text = format_amount(minor, currency)

    assert len(text.partition(".")[2]) == decimals_of(currency)
    assert int(text.replace(".", "")) == minor


@pytest.mark.parametrize(
    ("minor", "currency", "text"),
    [(0, "EUR", "0.00"), (-5, "EUR", "-0.05"), (-7, "JPY", "-7"), (1, "KWD", "0.001")],
)
def test_small_and_negative_balances_are_formatted_in_full(minor, currency, text):
    assert format_amount(minor, currency) == text


@pytest.mark.parametrize("code", ["eur", "EU", "EURO", "XXX", "XAU", "DEM", "ABC", "", "EUR "])
def test_only_a_currency_that_is_tender_today_is_a_currency(code):
    with pytest.raises(ValidationError, match="must be an ISO 4217 currency code in capitals"):
        TypeAdapter(Currency).validate_python(code)


@pytest.mark.parametrize("code", ["EUR", "USD", "JPY", "KWD", "INR", "BRL", "CHF", "NGN"])
def test_a_currency_in_use_is_a_currency(code):
    assert TypeAdapter(Currency).validate_python(code) == code


@given(st.integers(min_value=0, max_value=MAX_POINTS))
def test_points_are_whole_numbers(points):
    assert parse_points(str(points)) == points


@pytest.mark.parametrize("text", ["", "-1", "+1", "1.0", "1e3", " 1", "1\n", str(MAX_POINTS + 1)])
def test_other_points_are_refused(text):
    with pytest.raises(ValueError, match="must be a whole number of points, from 0 to 1000000000"):
        parse_points(text)
