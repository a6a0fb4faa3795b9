"""Building blocks of all views."""

import re
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from referrals.domain.field_docs import Described

T = TypeVar("T")


_UTC = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?\+00:00", re.ASCII)


def with_zulu_times(value: Any) -> Any:
    """Return the JSON value with every UTC time in it written with a Z, as in all responses."""
    match value:
        case str() if _UTC.fullmatch(value):
            return value.replace("+00:00", "Z")
        case dict():
            return {key: with_zulu_times(inner) for key, inner in value.items()}
        case list():
            return [with_zulu_times(inner) for inner in value]
    return value


@dataclass(frozen=True)
class Page(Described, Generic[T]):
    """One page of a list. Pass `next` as `after` to get the following page."""

    data: list[T]
    next: str | None


@dataclass(frozen=True)
class Reason(Described):
    code: str
    message: str
