"""Field types of events and requests: texts, contacts, amounts and times, checked and normalised."""

import unicodedata
from datetime import UTC, datetime
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BeforeValidator,
    Field,
    JsonValue,
)

from referrals.domain.clicks import ShareChannel, clean_click_id
from referrals.domain.codes import MAX_CODE_LENGTH, is_code, normalise_code
from referrals.domain.contacts import (
    check_deliverable,
    normalise_email,
    normalise_locale,
    normalise_phone,
    normalise_timezone,
    single_line,
    visible_text,
)
from referrals.domain.money import normalise_amount

MAX_JSON_DEPTH = 16
EARLIEST_TIME = datetime(1970, 1, 2, tzinfo=UTC)
LATEST_TIME = datetime(9998, 12, 31, tzinfo=UTC)
MAX_TYPED_LENGTH = 255
MAX_CONSENTS = 20


def clean_text(text: str) -> str:
    """Refuse characters that cannot be stored or displayed: control characters and unpaired surrogates."""
    if text.isprintable():
        return text
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


def _whole_number_as_text(value: Any) -> Any:
    """Return an id that came as a JSON number as text."""
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


def _single_line(value: Any) -> Any:
    value = _whole_number_as_text(value)
    return single_line(value) if isinstance(value, str) else value


def at_most(maximum: int) -> BeforeValidator:
    """Refuse a list that is too long before its entries are looked at."""

    def check(value: Any) -> Any:
        if isinstance(value, list) and len(value) > maximum:
            raise ValueError(f"must have at most {maximum} entries")
        return value

    return BeforeValidator(check)


def _lower_case(value: Any) -> Any:
    return value.strip().lower() if isinstance(value, str) else value


def _new_code(text: str) -> str:
    code = normalise_code(text)
    if not is_code(code):
        raise ValueError(
            f"must be 1 to {MAX_CODE_LENGTH} letters and digits, with - _ . between them"
        )
    return code


def _typed_code(value: Any) -> Any:
    """Return what was typed into a field for a code, at most as long as it can matter."""
    value = _whole_number_as_text(value)
    return visible_text(value)[:MAX_TYPED_LENGTH] if isinstance(value, str) else value


def _quantity(value: Any) -> float:
    """Return the number of a JSON number or decimal string."""
    if isinstance(value, str):
        return float(normalise_amount(value))
    if isinstance(value, int | float) and not isinstance(value, bool):
        return value
    raise ValueError("must be a number, such as 2 or 0.55")


def _without_point(number: float) -> float:
    """Return a whole number as an integer."""
    return int(number) if number.is_integer() else number


def _in_utc(time: datetime) -> datetime:
    """Return the time in UTC, within years that every database and time zone has."""
    local = time.replace(tzinfo=UTC)
    if not EARLIEST_TIME < local < LATEST_TIME:
        return min(max(local, EARLIEST_TIME), LATEST_TIME)
    return time.astimezone(UTC)


def _time(value: Any) -> Any:
    if isinstance(value, str | datetime):
        return value
    raise ValueError("must be a time with its offset, such as 2026-03-04T10:00:00Z")


_NO_CONTROL_CHARACTERS = {"pattern": r"^[^\u0000-\u001f\u007f-\u009f]*$"}

Text = Annotated[
    str,
    Field(min_length=1, max_length=255, json_schema_extra=_NO_CONTROL_CHARACTERS),
    BeforeValidator(_whole_number_as_text),
    AfterValidator(clean_text),
]
TypedCode = Annotated[str, BeforeValidator(_typed_code), AfterValidator(clean_text)]
NewCode = Annotated[str, BeforeValidator(_whole_number_as_text), AfterValidator(_new_code)]
ClickId = Annotated[str | None, BeforeValidator(clean_click_id)]
Name = Annotated[
    str,
    BeforeValidator(_single_line),
    Field(min_length=1, max_length=255),
    AfterValidator(clean_text),
]
Email = Annotated[str, Field(max_length=320), AfterValidator(normalise_email)]
DeliverableEmail = Annotated[Email, AfterValidator(check_deliverable)]
Phone = Annotated[
    str,
    Field(max_length=64),
    BeforeValidator(_whole_number_as_text),
    AfterValidator(normalise_phone),
]
Locale = Annotated[str, Field(max_length=255), AfterValidator(normalise_locale)]
TimeZone = Annotated[str, Field(max_length=255), AfterValidator(normalise_timezone)]
Channel = Annotated[ShareChannel, BeforeValidator(_lower_case)]
Consent = Annotated[Literal["email", "whatsapp", "http"], BeforeValidator(_lower_case)]
Consents = Annotated[
    tuple[Consent, ...],
    BeforeValidator(lambda value: [value] if isinstance(value, str) else value),
    at_most(MAX_CONSENTS),
]
Quantity = Annotated[
    float,
    BeforeValidator(_quantity),
    Field(gt=0, le=1_000_000),
    AfterValidator(_without_point),
]
CleanJson = Annotated[JsonValue, AfterValidator(clean_json)]
EventTime = Annotated[AwareDatetime, BeforeValidator(_time), AfterValidator(_in_utc)]
CampaignSlug = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,62}$")]
