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
    normalise_amount,
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
        "+1",
        "1e3",
        "1,00",
        "1.",
        ".5",
        "1.2.3",
        "0x10",
        "1_000",
        "1 000",
        "NaN",
        "Infinity",
        "\u0661",
        "1" * 13,
        "1" * 100_000,
    ],
)
def test_anything_but_a_plain_decimal_string_is_refused(text):
    with pytest.raises(ValueError, match=r'must be a decimal string in quotes such as "119\.90"'):
        parse_amount(text, "EUR")


@pytest.mark.parametrize("number", [1990, 119.9, True, None, ["1"]])
def test_only_texts_are_amounts(number):
    with pytest.raises(ValueError, match="must be a decimal string in quotes"):
        normalise_amount(number)


def test_an_amount_is_not_negative():
    with pytest.raises(ValueError, match="must not be negative"):
        parse_amount("-1", "EUR")


@pytest.mark.parametrize(
    ("text", "currency", "message"),
    [
        ("1.234", "EUR", "has 3 decimals, but EUR has 2"),
        ("705.50", "JPY", "has 1 decimals, but JPY has 0"),
        ("1.0005", "KWD", "has 4 decimals, but KWD has 3"),
    ],
)
def test_decimals_that_the_currency_does_not_have_are_refused(text, currency, message):
    with pytest.raises(ValueError, match=message):
        parse_amount(text, currency)


def spellings_of(text: str) -> st.SearchStrategy[str]:
    """Return spellings of a decimal: zeros before and behind, space around, and wide digits."""
    wide = str.maketrans("0123456789.", "０１２３４５６７８９．")
    zeros, space = st.sampled_from(["", "0", "000"]), st.sampled_from(["", " ", "\t", "\u3000"])

    def spell(before: str, behind: str, left: str, right: str) -> str:
        point = "." if behind and "." not in text else ""
        return left + before + text + point + behind + right

    spelled = st.builds(spell, zeros, zeros, space, space)
    return spelled | spelled.map(lambda spelling: spelling.translate(wide))


@given(st.data(), currencies, st.integers(min_value=0, max_value=10**8))
def test_every_spelling_of_an_amount_is_the_same_amount(data, currency, minor):
    spelling = data.draw(spellings_of(format_amount(minor, currency)))

    assert parse_amount(spelling, currency) == minor
    assert normalise_amount(spelling) == normalise_amount(normalise_amount(spelling))


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


@pytest.mark.parametrize("code", ["EU", "EURO", "XXX", "XAU", "DEM", "ABC", "", "E UR"])
def test_only_a_currency_that_is_tender_today_is_a_currency(code):
    with pytest.raises(ValidationError, match="must be an ISO 4217 currency code"):
        TypeAdapter(Currency).validate_python(code)


@pytest.mark.parametrize("code", ["EUR", "eur", "Eur", " eur ", "ＥＵＲ"])
def test_a_currency_is_read_in_any_case_and_width(code):
    assert TypeAdapter(Currency).validate_python(code) == "EUR"


@given(st.integers(min_value=0, max_value=MAX_POINTS))
def test_points_are_whole_numbers(points):
    assert parse_points(str(points)) == points


@pytest.mark.parametrize("text", ["", "-1", "+1", "1.5", "1e3", str(MAX_POINTS + 1)])
def test_other_points_are_refused(text):
    with pytest.raises(ValueError, match="must be a whole number of points, from 0 to 1000000000"):
        parse_points(text)
