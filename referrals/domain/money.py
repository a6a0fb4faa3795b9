"""Money: decimal strings in events, files and responses; integer minor units in the ledger.

An amount of 119.90 EUR is the string ``"119.90"`` outside and the integer 11990 inside. Floats are never used for
money.
"""

import re
from typing import Annotated

from babel.core import get_global
from pydantic import AfterValidator

MAX_POINTS = 10**9
"""Maximum number of points of one amount."""

CURRENCIES: frozenset[str] = frozenset(
    code
    for uses in get_global("territory_currencies").values()
    for code, _, until, is_tender in uses
    if is_tender and until is None
)
"""ISO 4217 codes of the currencies that are legal tender today."""

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
    """Return the currency code if it is valid.

    Raises:
        ValueError: the code is not an upper-case ISO 4217 code in use.
    """
    if code not in CURRENCIES:
        raise ValueError("must be an ISO 4217 currency code in capitals, such as EUR")
    return code


Currency = Annotated[str, AfterValidator(check_currency)]


def decimals_of(currency: str) -> int:
    """Return the number of decimals of a currency by ISO 4217: JPY 0, EUR 2, KWD 3."""
    return _DIGITS.get(check_currency(currency), 2)


def parse_amount(text: str, currency: str) -> int:
    """Convert a plain decimal string to minor units: ``("119.90", "EUR")`` is 11990.

    Raises:
        ValueError: the text has a sign, an exponent, a space or another non-digit; more than 12 digits before
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
    """Convert minor units to a decimal string with all decimals of the currency: 11990 EUR is ``"119.90"``."""
    digits = decimals_of(currency)
    sign = "-" if minor < 0 else ""
    text = str(abs(minor)).rjust(digits + 1, "0")
    return f"{sign}{text[:-digits]}.{text[-digits:]}" if digits else sign + text


def parse_points(text: str) -> int:
    """Convert a string of digits to a number of points.

    Raises:
        ValueError: the text is not a whole number from 0 to `MAX_POINTS`.
    """
    if not _POINTS.fullmatch(text) or int(text) > MAX_POINTS:
        raise ValueError(f"must be a whole number of points, from 0 to {MAX_POINTS}")
    return int(text)
