"""Money as decimal strings outside and whole minor units inside.

An amount of 119.90 EUR is the string ``"119.90"`` in events, files and answers, and the integer 11990 in
the books. Floats never hold money.
"""

import re
from typing import Annotated

from babel.core import get_global
from pydantic import AfterValidator

MAX_POINTS = 10**9
"""The most points that one amount may name."""

CURRENCIES: frozenset[str] = frozenset(
    code
    for uses in get_global("territory_currencies").values()
    for code, _, until, is_tender in uses
    if is_tender and until is None
)
"""The ISO 4217 codes that are legal tender somewhere today."""

# CLDR's digits are for display (it gives RSD none); the minor unit of ISO 4217 is what payments use.
_NO_DIGITS = {
    "BIF",
    "CLP",
    "DJF",
    "GNF",
    "ISK",
    "JPY",
    "KMF",
    "KRW",
    "PYG",
    "RWF",
    "UGX",
    "VND",
    "VUV",
    "XAF",
    "XOF",
    "XPF",
}
_THREE_DIGITS = {"BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"}
_DIGITS = dict.fromkeys(_NO_DIGITS, 0) | dict.fromkeys(_THREE_DIGITS, 3)

_AMOUNT = re.compile(r"(?P<major>[0-9]{1,12})(?:\.(?P<minor>[0-9]+))?")
_POINTS = re.compile(r"[0-9]{1,10}")


def check_currency(code: str) -> str:
    """The code itself.

    Raises:
        ValueError: it is not an upper-case ISO 4217 code in use.
    """
    if code not in CURRENCIES:
        raise ValueError("must be an ISO 4217 currency code in capitals, such as EUR")
    return code


Currency = Annotated[str, AfterValidator(check_currency)]


def decimals_of(currency: str) -> int:
    """How many decimals the currency has by ISO 4217: JPY 0, EUR 2, KWD 3."""
    return _DIGITS.get(check_currency(currency), 2)


def parse_amount(text: str, currency: str) -> int:
    """A plain decimal string as minor units: ``("119.90", "EUR")`` is 11990.

    Raises:
        ValueError: a sign, exponent, space or other character that is no digit; more than 12 digits before
            the point or more decimals than the currency has; an unknown currency.
    """
    digits = decimals_of(currency)
    match = _AMOUNT.fullmatch(text)
    if match is None:
        raise ValueError(
            f'must be a plain decimal string such as "{format_amount(8000, currency)}", '
            "with at most 12 digits before the point"
        )
    decimals = match["minor"] or ""
    if len(decimals) > digits:
        raise ValueError(f"has {len(decimals)} decimals, but {currency} has {digits}")
    return int(match["major"] + decimals.ljust(digits, "0"))


def format_amount(minor: int, currency: str) -> str:
    """Minor units as a decimal string with all of the currency's decimals: 11990 EUR is ``"119.90"``."""
    digits = decimals_of(currency)
    sign = "-" if minor < 0 else ""
    text = str(abs(minor)).rjust(digits + 1, "0")
    return f"{sign}{text[:-digits]}.{text[-digits:]}" if digits else sign + text


def parse_points(text: str) -> int:
    """A string of digits as a number of points.

    Raises:
        ValueError: it is no whole number from 0 to `MAX_POINTS`.
    """
    if not _POINTS.fullmatch(text) or int(text) > MAX_POINTS:
        raise ValueError(f"must be a whole number of points, from 0 to {MAX_POINTS}")
    return int(text)
