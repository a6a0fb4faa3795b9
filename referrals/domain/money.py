"""Money: decimal strings in events, files and responses; integer minor units in the ledger.

An amount of 119.90 EUR is the string ``"119.90"`` outside and the integer 11990 inside. Floats are never used for
money.
"""

import re
import unicodedata
from contextlib import suppress
from typing import Annotated, Any

from babel.core import get_global
from pydantic import AfterValidator, BeforeValidator, Field, WithJsonSchema

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

MAX_DIGITS = 12
"""Maximum number of digits before the point."""
MAX_LENGTH = 64

_DECIMAL = re.compile(rf"(-?)0*([0-9]{{1,{MAX_DIGITS}}})(?:\.([0-9]{{1,20}}))?")
_SPELLING = (
    'must be a decimal string in quotes such as "119.90": '
    f"at most {MAX_DIGITS} digits before the point, no separators and no exponent"
)


def normalise_currency(code: str) -> str:
    """Return the ISO 4217 code of a currency in use, given in any case and with space around it.

    Raises:
        ValueError: there is no such currency.
    """
    normal = unicodedata.normalize("NFKC", code).strip().upper()
    if normal not in CURRENCIES:
        raise ValueError("must be an ISO 4217 currency code, such as EUR")
    return normal


def normalise_decimal(text: Any) -> str:
    """Return the shortest spelling of a decimal string: ``" 0705.00"`` is ``"705"``.

    Numbers are refused, because a fraction in JSON has no exact decimals, and 1990 may be meant in cents.

    Raises:
        ValueError: the value is not a plain decimal string.
    """
    found = _DECIMAL.fullmatch(_plain(text)) if isinstance(text, str) else None
    if found is None:
        raise ValueError(_SPELLING)
    sign, major, minor = found[1], found[2], (found[3] or "").rstrip("0")
    shortest = f"{major}.{minor}" if minor else major
    return shortest if shortest == "0" else sign + shortest


def _plain(text: str) -> str:
    return unicodedata.normalize("NFKC", text).strip() if len(text) <= MAX_LENGTH else ""


def normalise_amount(text: Any) -> str:
    """Return the shortest spelling of an amount that is not negative. Raises ValueError."""
    amount = normalise_decimal(text)
    if amount.startswith("-"):
        raise ValueError("must not be negative")
    return amount


_AMOUNT = r"[0-9]{1,12}(\.[0-9]{1,20})?$"

Currency = Annotated[
    str,
    AfterValidator(normalise_currency),
    WithJsonSchema(
        {
            "title": "Currency",
            "description": "An ISO 4217 code of a currency in use.",
            "type": "string",
            "pattern": r"^\s*[A-Za-z]{3}\s*$",
            "examples": ["EUR"],
        }
    ),
]
Amount = Annotated[
    str,
    Field(json_schema_extra={"pattern": f"^{_AMOUNT}", "examples": ["119.90"]}),
    BeforeValidator(normalise_amount),
]
SignedAmount = Annotated[
    str,
    Field(json_schema_extra={"pattern": f"^-?{_AMOUNT}", "examples": ["-10.00"]}),
    BeforeValidator(normalise_decimal),
]


def decimals_of(currency: str) -> int:
    """Return the number of decimals of a currency by ISO 4217: JPY 0, EUR 2, KWD 3."""
    return _DIGITS.get(currency, 2)


def parse_amount(text: str, currency: str) -> int:
    """Convert a decimal string to minor units: ``("119.90", "EUR")`` is 11990.

    Zeros behind the last decimal of the currency are ignored: ``("705.00", "JPY")`` is 705.

    Raises:
        ValueError: the text is not a plain decimal string, or has more decimals than the currency.
    """
    digits = decimals_of(currency)
    major, _, minor = normalise_amount(text).partition(".")
    if len(minor) > digits:
        raise ValueError(f"has {len(minor)} decimals, but {currency} has {digits}")
    return int(major + minor.ljust(digits, "0"))


def format_amount(minor: int, currency: str) -> str:
    """Convert minor units to a decimal string with all decimals of the currency: 11990 EUR is ``"119.90"``."""
    digits = decimals_of(currency)
    sign = "-" if minor < 0 else ""
    text = str(abs(minor)).rjust(digits + 1, "0")
    return f"{sign}{text[:-digits]}.{text[-digits:]}" if digits else sign + text


def parse_points(text: str) -> int:
    """Convert a decimal string to a number of points; zeros behind the point are ignored.

    Raises:
        ValueError: the text is not a whole number from 0 to `MAX_POINTS`.
    """
    with suppress(ValueError):
        points = int(normalise_amount(text))  # a decimal that is left is refused
        if points <= MAX_POINTS:
            return points
    raise ValueError(f"must be a whole number of points, from 0 to {MAX_POINTS}")
