"""Contact details as people and systems write them: one normaliser for each kind of value.

A normaliser is idempotent and raises ValueError for what cannot be understood. An address that looks like one but cannot
be written to is kept, because it still tells people apart.
"""

import re
import unicodedata
from functools import cache, lru_cache
from zoneinfo import available_timezones

import phonenumbers
from babel.core import get_global
from email_validator import EmailNotValidError, validate_email

_ADDRESS = re.compile(r"[^\s@<>()\[\],;:\\\"]+@[^\s@<>()\[\],;:\\\"]+\.[^\s@<>()\[\],;:\\\"]+")
_IN_BRACKETS = re.compile(r".*<([^<>]*)>")
_NATIONAL_NUMBER = re.compile(r"[0-9 ()./-]+")
_NATIONAL_DIGITS = range(7, 16)
_LOCALE = re.compile(
    r"(?P<language>[a-z]{2,3})(?:-(?P<script>[a-z]{4}))?(?:-(?P<region>[a-z]{2}|[0-9]{3}))?"
    r"(?:-[a-z0-9]+)*"
)


def visible_text(text: str) -> str:
    """Return the text in one width and composition, without invisible characters and the space around it."""
    if text.isascii():
        return text.strip()
    visible = (char for char in text if unicodedata.category(char) not in ("Cf", "Cs"))
    return unicodedata.normalize("NFKC", "".join(visible)).strip()


def single_line(text: str) -> str:
    """Return a name on one line: control characters and repeated space become one space."""
    printable = (" " if unicodedata.category(char) == "Cc" else char for char in text)
    return unicodedata.normalize("NFC", " ".join("".join(printable).split()))


def normalise_email(text: str) -> str:
    """Return an email address without a display name, with its domain in lower case."""
    address = visible_text(text)
    if found := _IN_BRACKETS.fullmatch(address):
        address = found[1].strip()
    address = re.sub("^mailto:", "", address, flags=re.IGNORECASE).rstrip(",;")
    if deliverable := _deliverable(address):
        return deliverable
    if not _ADDRESS.fullmatch(address):
        raise ValueError("is not an email address")
    local, _, domain = address.rpartition("@")
    return f"{local}@{domain.lower()}"


def can_receive_email(address: str) -> bool:
    """Return true if the address can be written to."""
    return _deliverable(address) is not None


def check_deliverable(address: str) -> str:
    """Return the address if it can be written to. Raises ValueError."""
    if not can_receive_email(address):
        raise ValueError("is not an email address that can be written to")
    return address


@lru_cache(maxsize=256)  # asked for again when the response to the same event is written
def _deliverable(address: str) -> str | None:
    try:
        found = validate_email(address, check_deliverability=False, test_environment=True)
    except EmailNotValidError:
        return None
    return found.normalized


def normalise_phone(text: str) -> str:
    """Return a phone number in E.164, or the digits of a number that lacks its country."""
    number = re.sub(r"^00(?=[1-9])", "+", visible_text(text).removeprefix("tel:"))
    if international := _international(number):
        return international
    digits = re.sub(r"[^0-9]", "", number)
    is_filler = len(set(digits)) < 3  # noqa: PLR2004 - such as 000-000-0000
    if not _NATIONAL_NUMBER.fullmatch(number) or len(digits) not in _NATIONAL_DIGITS or is_filler:
        raise ValueError("is not a phone number such as +4915112345678")
    return digits


def can_receive_messages(phone: str) -> bool:
    """Return true if the number has its country, so that a message reaches the right person."""
    return phone.startswith("+")


def unreachable_contacts(email: str | None, phone: str | None) -> list[str]:
    """Return which of `email` and `phone` is known but cannot be written to."""
    is_lost = {
        "email": email is not None and not can_receive_email(email),
        "phone": phone is not None and not can_receive_messages(phone),
    }
    return [contact for contact, lost in is_lost.items() if lost]


def _international(text: str) -> str | None:
    try:
        number = phonenumbers.parse(text)
    except phonenumbers.NumberParseException:
        return None
    if not phonenumbers.is_possible_number(number):
        return None
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)


def normalise_locale(text: str) -> str:
    """Return the language, script and region of a language tag, a POSIX locale or an `Accept-Language` header."""
    first = re.split("[,;]", visible_text(text))[0]
    tag = re.split("[.@]", first)[0].strip().replace("_", "-").lower()
    found = _LOCALE.fullmatch(tag)
    if found is None:
        raise ValueError("must be a language tag such as pt-BR")
    script, region = found["script"], found["region"]
    parts = (found["language"], script and script.title(), region and region.upper())
    return "-".join(filter(None, parts))


def normalise_timezone(text: str) -> str:
    """Return the IANA name of a time zone, for its name in any case or its name in Windows."""
    zone = _zones_by_name().get(visible_text(text).casefold())
    if zone is None:
        raise ValueError("is not a time zone such as Europe/Berlin")
    return zone


@cache
def _zones_by_name() -> dict[str, str]:
    by_name = {zone.casefold(): zone for zone in sorted(available_timezones())}
    windows = {name.casefold(): zone for name, zone in get_global("windows_zone_mapping").items()}
    return {name: zone for name, zone in windows.items() if zone.casefold() in by_name} | by_name
