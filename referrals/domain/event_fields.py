"""Field types of events and requests: texts, contacts, amounts and times, checked and normalised."""

import re
import unicodedata
from datetime import datetime
from typing import Annotated, Any

import phonenumbers
from email_validator import EmailNotValidError, validate_email
from pydantic import (
    AfterValidator,
    AwareDatetime,
    BeforeValidator,
    Field,
    JsonValue,
)

from referrals.domain.clicks import clean_click_id
from referrals.domain.codes import is_code, normalise_code

_AMOUNT = re.compile(r"[0-9]{1,12}(\.[0-9]{1,4})?")
MAX_JSON_DEPTH = 16


def clean_text(text: str) -> str:
    """Refuse characters that cannot be stored or displayed: control characters and unpaired surrogates."""
    if any(unicodedata.category(character) in ("Cc", "Cs") for character in text):
        raise ValueError("must not contain control characters")
    return text


def clean_json(value: JsonValue, depth: int = 0) -> JsonValue:
    """Refuse a JSON value with NUL characters or unpaired surrogates, or one that is nested too deeply."""
    if depth > MAX_JSON_DEPTH:
        raise ValueError(f"must not be nested deeper than {MAX_JSON_DEPTH} levels")
    if isinstance(value, str):
        if "\x00" in value or any("\ud800" <= character <= "\udfff" for character in value):
            raise ValueError("must not contain NUL characters or unpaired surrogates")
    elif isinstance(value, dict):
        for key, item in value.items():
            clean_json(key, depth)
            clean_json(item, depth + 1)
    elif isinstance(value, list):
        for item in value:
            clean_json(item, depth + 1)
    return value


def _email(text: str) -> str:
    try:
        found = validate_email(text, check_deliverability=False, test_environment=True)
    except EmailNotValidError as error:
        raise ValueError(f"is not an email address: {error}") from error
    return found.normalized


def _phone(text: str) -> str:
    try:
        number = phonenumbers.parse(text)
    except phonenumbers.NumberParseException as error:
        raise ValueError(
            "is not a phone number in international format, such as +4915112345678"
        ) from (error)
    if not phonenumbers.is_possible_number(number):
        raise ValueError("is not a possible phone number")
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)


def _code(text: str) -> str:
    code = normalise_code(text)
    if not is_code(code):
        raise ValueError("is not a referral code")
    return code


def _amount(text: str) -> str:
    if not isinstance(text, str) or not _AMOUNT.fullmatch(text):
        raise ValueError(
            'must be a decimal string in quotes such as "119.90": not negative, '
            "at most 12 digits before the point and 4 after it"
        )
    return text


def _time(value: Any) -> Any:
    if isinstance(value, str | datetime):
        return value
    raise ValueError("must be a time with its offset, such as 2026-03-04T10:00:00Z")


Text = Annotated[str, Field(min_length=1, max_length=255), AfterValidator(clean_text)]
CodeText = Annotated[str, Field(min_length=1, max_length=255), AfterValidator(_code)]
ClickId = Annotated[str | None, BeforeValidator(clean_click_id)]
Email = Annotated[str, Field(max_length=254), AfterValidator(_email)]
Phone = Annotated[str, Field(max_length=32), AfterValidator(_phone)]
Amount = Annotated[str, BeforeValidator(_amount)]
CleanJson = Annotated[JsonValue, AfterValidator(clean_json)]
EventTime = Annotated[AwareDatetime, BeforeValidator(_time)]
CampaignSlug = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,62}$")]
Locale = Annotated[str, Field(pattern=r"^[A-Za-z]{2,3}([-_][A-Za-z0-9]{2,8})*$")]
