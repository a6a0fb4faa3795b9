"""Field types and validators of campaign files. Each error message says which value is valid."""

import re
from collections.abc import Iterable
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
)
from pydantic_core import InitErrorDetails, PydanticCustomError

from referrals.domain.landing_pages import RESERVED_PARAMETERS
from referrals.domain.money import format_amount, parse_amount
from referrals.domain.rule_checks import check_condition
from referrals.domain.rule_variables import Owner

_HTTP_URL = TypeAdapter(HttpUrl)
_PARAMETER = re.compile(r"[A-Za-z0-9_.-]{1,64}\*?", re.ASCII)
_SLUG = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}")
_MOMENT = re.compile(
    r"2[01]\d\d-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d{1,6})?)?(Z|[+-]\d\d:\d\d)", re.ASCII
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
    try:
        return str(_HTTP_URL.validate_python(text))
    except ValueError as error:
        raise ValueError("must be a URL that starts with http:// or https://") from error


def _passed_parameter(name: str) -> str:
    if not _PARAMETER.fullmatch(name):
        raise ValueError(
            "must be the name of a parameter, such as gclid, or its beginning, such as utm_*"
        )
    if name in RESERVED_PARAMETERS:
        raise ValueError(f"must not be {name}, which the referral link sets")
    return name


PassedParameter = Annotated[str, AfterValidator(_passed_parameter)]
Slug = Annotated[str, AfterValidator(_slug)]
SingleLine = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=1, max_length=300),
    AfterValidator(_one_line),
]
_CelText = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]
RuleCondition = Annotated[_CelText, _condition("rule")]
"""A condition that compiles. Errors contain the model's `name`, which must be defined before this field."""

JourneyCondition = Annotated[_CelText, _condition("journey")]
"""A `RuleCondition` with the variables of journeys."""

TimeZone = Annotated[str, AfterValidator(_timezone)]
DateTimeWithOffset = Annotated[AwareDatetime, BeforeValidator(_moment)]
Url = Annotated[str, AfterValidator(_http_url)]
PositiveInt = Annotated[int, Field(strict=True, gt=0, le=10**9)]
Flag = Annotated[bool, Field(strict=True)]
NotYet = Annotated[None, BeforeValidator(reject_unsupported)]
