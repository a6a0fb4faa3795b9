"""Field types and validators of campaign files. Each error message says which value is valid."""

import re
from collections.abc import Iterable
from contextlib import suppress
from datetime import datetime
from typing import Annotated, Any, Protocol, TypeVar
from unicodedata import category
from zoneinfo import ZoneInfo

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BeforeValidator,
    Field,
    HttpUrl,
    StringConstraints,
    TypeAdapter,
    ValidationError,
    ValidationInfo,
    WithJsonSchema,
)
from pydantic_core import InitErrorDetails, PydanticCustomError

from referrals.domain.codes import MAX_CODE_LENGTH, check_charset
from referrals.domain.event_names import EVENT_NAME, RESERVED_EVENTS, check_event_name
from referrals.domain.landing_pages import RESERVED_PARAMETERS
from referrals.domain.money import MAX_LENGTH, format_amount, parse_amount
from referrals.domain.rule_checks import check_condition
from referrals.domain.rule_variables import Owner
from referrals.domain.rules import MAX_CONDITION_LENGTH

_HTTP_URL = TypeAdapter(HttpUrl)
_HTTP_SCHEME = re.compile(r"[hH][tT][tT][pP][sS]?://.+")
_PARAMETER = re.compile(r"[A-Za-z0-9_.-]{1,64}\*?")
_SLUG = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}")
_MOMENT = re.compile(
    r"2[01][0-9]{2}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]{1,6})?)?(Z|[+-][0-9]{2}:[0-9]{2})"
)


class Named(Protocol):
    @property
    def name(self) -> str: ...


T = TypeVar("T", bound=Named)


FieldPath = tuple[int | str, ...]
"""Path to a nested value, such as `("steps", 0, "grant")`."""


def raise_field_errors(mistakes: Iterable[tuple[FieldPath, str]]) -> None:
    """Raise one validation error for all mistakes; return if there are none.

    Raises:
        ValidationError: each mistake, with its path relative to the validated value.
    """
    errors = [
        InitErrorDetails(
            type=PydanticCustomError("value_error", "{error}", {"error": message}),
            loc=path,
            input=None,
        )
        for path, message in mistakes
    ]
    if errors:
        raise ValidationError.from_exception_data("mistakes", errors)


def not_empty(items: tuple[Any, ...]) -> tuple[Any, ...]:
    """Return the items if there are any.

    Raises:
        ValueError: there are no items. (Pydantic's own check does not count invalid items.)
    """
    if not items:
        raise ValueError("must not be empty")
    return items


def unique_names(items: tuple[T, ...]) -> tuple[T, ...]:
    """Return the items if their names are unique.

    Raises:
        ValueError: two items have the same name.
    """
    names = [item.name for item in items]
    duplicate = next((name for name in names if names.count(name) > 1), None)
    if duplicate:
        raise ValueError(f"has two entries named {duplicate}")
    return items


def reject_unsupported(value: Any, info: ValidationInfo) -> None:
    """Refuse a value for a key that is planned but not implemented.

    Raises:
        ValueError: the value is not None.
    """
    if value is not None:
        raise ValueError(f"{info.field_name} is not supported yet")


def check_money(amount: Any, currency: str) -> str:
    """Return the amount with the decimals of its currency.

    Raises:
        ValueError: the amount is not a decimal string, not more than zero, or has more decimals than its currency.
    """
    if type(amount) is not str:
        raise ValueError('must be a decimal string in quotes, such as "25.00"')
    minor = parse_amount(amount, currency)
    if minor == 0:
        raise ValueError("must be more than zero")
    return format_amount(minor, currency)


def _slug(text: str) -> str:
    if not _SLUG.fullmatch(text):
        raise ValueError(
            "must be 1 to 63 lower-case letters, digits, - or _, and start with a letter or digit"
        )
    return text


def _one_line(text: str) -> str:
    if any(category(char) == "Cc" for char in text):
        raise ValueError("must be one line without control characters")
    return text


def _condition(owner: Owner) -> Any:
    def check(text: str, info: ValidationInfo) -> str:
        check_condition(text, where=info.data.get("name", "condition"), owner=owner)
        return text

    return AfterValidator(check)


def _timezone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError) as error:
        raise ValueError("must be a time zone such as Europe/Berlin") from error
    return name


def _moment(value: Any) -> Any:
    if isinstance(value, datetime) or (isinstance(value, str) and _MOMENT.fullmatch(value)):
        return value
    raise ValueError("must be a date and time with its offset, such as 2026-03-01T00:00:00+01:00")


def _http_url(text: str) -> str:
    with suppress(ValueError):
        if _HTTP_SCHEME.fullmatch(text):
            return str(_HTTP_URL.validate_python(text))
    raise ValueError("must be a URL that starts with http:// or https://")


def _passed_parameter(name: str) -> str:
    if not _PARAMETER.fullmatch(name):
        raise ValueError(
            "must be the name of a parameter, such as gclid, or its beginning, such as utm_*"
        )
    if name in RESERVED_PARAMETERS:
        raise ValueError(f"must not be {name}, which the referral link sets")
    return name


def described(title: str, description: str, *examples: Any, **keywords: Any) -> WithJsonSchema:
    """Return the JSON schema of a text; the title is the name of the type in the campaign's reference."""
    schema = {"title": title, "description": description, "type": "string", **keywords}
    return WithJsonSchema(schema | {"examples": list(examples)})


def _may_convert(event: str) -> str:
    if event in RESERVED_EVENTS:
        raise ValueError(f"must not be {event}, which is a reserved event name")
    return check_event_name(event)


PassedParameter = Annotated[
    str,
    AfterValidator(_passed_parameter),
    described(
        "Parameter",
        "The name of a query parameter, or its beginning and a `*`. Not `code`, `click` or `via`.",
        "utm_*",
        "gclid",
        pattern=f"^{_PARAMETER.pattern}$",
        **{"not": {"enum": sorted(RESERVED_PARAMETERS)}},
    ),
]
Slug = Annotated[
    str,
    AfterValidator(_slug),
    described(
        "Slug",
        "1 to 63 lower-case letters, digits, `-` and `_`; the first is a letter or digit.",
        "spring-2026",
        pattern=f"^{_SLUG.pattern}$",
    ),
]
SingleLine = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=1, max_length=300),
    AfterValidator(_one_line),
    described(
        "Text",
        "One line of text, at most 300 characters. Space around it is removed.",
        "Spring referrals",
        maxLength=300,
        pattern=r"^\s*[^\s\u0000-\u001f\u007f-\u009f]([^\u0000-\u001f\u007f-\u009f]*\S)?\s*$",
    ),
]
_CelText = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=1),
    described(
        "Condition",
        "A condition in CEL, at most 2000 characters. It reads [variables](#variables-of-conditions).",
        'order.amount >= 80 && order.currency == "EUR"',
        maxLength=MAX_CONDITION_LENGTH,
        pattern=r"\S",
    ),
]
RuleCondition = Annotated[_CelText, _condition("rule")]
"""A condition that compiles. Errors contain the model's `name`, which must be defined before this field."""

JourneyCondition = Annotated[_CelText, _condition("journey")]
"""A `RuleCondition` with the variables of journeys."""

TimeZone = Annotated[
    str,
    AfterValidator(_timezone),
    described(
        "TimeZone",
        "A name of the IANA time zone database.",
        "Europe/Berlin",
        pattern="^[A-Za-z][A-Za-z0-9_+/-]*$",
    ),
]
DateTimeWithOffset = Annotated[
    AwareDatetime,
    BeforeValidator(_moment),
    described(
        "DateAndTime",
        "An ISO 8601 date and time with its offset.",
        "2026-03-01T00:00:00+01:00",
        format="date-time",
        pattern=f"^{_MOMENT.pattern}$",
    ),
]
Url = Annotated[
    str,
    AfterValidator(_http_url),
    described(
        "Url",
        "An address that starts with `http://` or `https://`.",
        "https://shop.example/welcome",
        format="uri",
        pattern=f"^{_HTTP_SCHEME.pattern}$",
    ),
]
Charset = Annotated[
    str,
    AfterValidator(check_charset),
    described(
        "Charset",
        "Letters and digits, each once. Upper and lower case are the same.",
        "ABCDEFGHJKMNPQRSTUVWXYZ23456789",
        pattern="^[A-Za-z0-9]+$",
    ),
]
_PATTERN = r"(?=(.*#){3})[A-Za-z0-9#]([A-Za-z0-9#._-]*[A-Za-z0-9#])?"
CodePattern = Annotated[
    str,
    described(
        "CodePattern",
        "Letters, digits, `-`, `_` and `.`; each `#` becomes a random character.",
        "SPRING-####-####",
        maxLength=MAX_CODE_LENGTH,
        pattern=f"^{_PATTERN}$",
    ),
]
"""Pattern of codes. `check_pattern` checks it, which needs to know the charset."""

MoneyAmount = Annotated[
    str,
    described(
        "Amount",
        "A decimal string in quotes, more than zero, with at most the decimals of its currency.",
        "25.00",
        maxLength=MAX_LENGTH,
        pattern=r"^(?=.*[1-9])\s*0*[0-9]{1,12}(\.[0-9]{1,20})?\s*$",
    ),
]
"""Amount of money. `check_money` checks it, which needs to know the currency."""

ConvertingEvent = Annotated[
    str,
    AfterValidator(_may_convert),
    described(
        "EventName",
        "1 to 63 letters, digits, `_`, `.` and `-`; the first is a letter. Not one of the engine's own events, except `referral_signed_up`.",
        "subscription_started",
        pattern=f"^{EVENT_NAME.pattern}$",
        **{"not": {"enum": sorted(RESERVED_EVENTS)}},
    ),
]
MAX_COUNT = 10**9
PositiveInt = Annotated[
    int,
    Field(strict=True, gt=0, le=MAX_COUNT),
    WithJsonSchema(
        {
            "title": "Number",
            "description": "A whole number from 1 to 1,000,000,000.",
            "type": "integer",
            "minimum": 1,
            "maximum": MAX_COUNT,
            "examples": [100],
        }
    ),
]
Flag = Annotated[bool, Field(strict=True)]
