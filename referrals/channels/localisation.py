"""How values read in a language: dates, numbers and money by CLDR, rewards in words, names that stay names."""

import re
from collections.abc import Callable, Mapping
from datetime import date
from decimal import Decimal
from functools import lru_cache
from typing import Any

from babel import Locale, UnknownLocaleError
from babel.dates import format_date
from babel.numbers import format_currency, format_decimal
from jinja2 import pass_context
from jinja2.runtime import Context as JinjaContext

MAX_NAME_LENGTH = 80
"""Characters of a person's name; a longer one is cut."""

_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")
_DIRECTION = re.compile(r"[\u200e\u200f\u202a-\u202e\u2066-\u2069]")
_ADDRESS = re.compile(r"://|@\w|\bwww\.|\w{3,}\.[a-z]{2,}|\.[a-z]{2,}/", re.IGNORECASE)
_PEOPLE = ("recipient", "advocate", "friend")


def strip_control_characters(text: str) -> str:
    """The text without control characters, save tabs and line feeds, and without halves of characters."""
    return _CONTROL.sub("", text)


def one_line(text: str) -> str:
    """The text without control characters, and with single spaces for all runs of white space."""
    return " ".join(_CONTROL.sub(" ", text).split())


def truncate(text: str, length: int) -> str:
    """The text, or its beginning and an ellipsis."""
    return text if len(text) <= length else f"{text[: length - 1].rstrip()}…"


@lru_cache(maxsize=256)
def closest_locale(wanted: str, found: str) -> str:
    """The reader's own locale where it is of the language that the template was found in, else that language.

    Raises:
        UnknownLocaleError: CLDR has neither.
    """
    if wanted.partition("-")[0] == found.partition("-")[0]:
        try:
            return str(Locale.parse(wanted, sep="-")).replace("_", "-")
        except (UnknownLocaleError, ValueError):
            pass
    return str(Locale.parse(found, sep="-")).replace("_", "-")


@lru_cache(maxsize=256)
def _locale(tag: str) -> Locale:
    return Locale.parse(tag, sep="-")


def _of(context: JinjaContext) -> Locale:
    return _locale(context["locale"])


def format_money(amount: str, currency: str, locale: str) -> str:
    """An amount in major units as that locale writes it; `InvalidOperation` where it is none."""
    return format_currency(Decimal(amount), currency, locale=_locale(locale))


@pass_context
def format_value(context: JinjaContext, value: object) -> object:
    """What an expression prints: a date as it is written out, nothing for None."""
    if isinstance(value, date):
        return format_date(value, "long", _of(context))
    return "" if value is None else value


@pass_context
def date_filter(context: JinjaContext, value: date | None, style: str = "long") -> str:
    """`{{ due_at | date }}`, also `short`, `medium`, `full` or a pattern of CLDR such as `EEEE, d. MMMM`."""
    return format_date(value, style, _of(context)) if value else ""


@pass_context
def money_filter(context: JinjaContext, amount: str, currency: str) -> str:
    """`{{ "25.00" | money("EUR") }}`: €25.00, 25,00 €."""
    return format_money(amount, currency, context["locale"])


@pass_context
def number_filter(context: JinjaContext, value: int | str) -> str:
    """`{{ 1000 | number }}`: 1,000 or 1.000."""
    return format_decimal(Decimal(value), locale=_of(context))


FILTERS: dict[str, Callable[..., Any]] = {
    "date": date_filter,
    "money": money_filter,
    "number": number_filter,
}


REWARD_TEXTS = ("figure", "text")


class LocalisedReward(dict[str, Any]):
    """A reward, put into words when a template first asks for them: most ask for few."""

    def __init__(
        self, reward: Mapping[str, Any], word: Callable[[Mapping[str, Any], str], str]
    ) -> None:
        super().__init__(reward)
        self._word = word

    def __missing__(self, part: str) -> str:
        if part not in REWARD_TEXTS:
            raise KeyError(part)
        self[part] = self._word(self, part)
        return str(self[part])


def localise_context(
    context: Mapping[str, Any], word: Callable[[Mapping[str, Any], str], str]
) -> dict[str, Any]:
    """The context as a template sees it: rewards have `figure` and `text` by `word`, and names are only names.

    No text in it has control characters.
    """

    def worded(reward: Mapping[str, Any] | None) -> Mapping[str, Any] | None:
        return LocalisedReward(reward, word) if reward else None

    people = {key: _named(context[key]) for key in _PEOPLE if key in context}
    context = _clean({**context, **people})
    return {
        **context,
        "reward": worded(context.get("reward")),
        "rewards": [worded(reward) for reward in context.get("rewards", ())],
        "offer": {side: worded(reward) for side, reward in context.get("offer", {}).items()},
    }


def _clean(value: Any) -> Any:
    if isinstance(value, str):
        return strip_control_characters(value)
    if isinstance(value, Mapping):
        return {key: _clean(inner) for key, inner in value.items()}
    return [_clean(inner) for inner in value] if isinstance(value, list) else value


def _named(person: Mapping[str, Any] | None) -> Mapping[str, Any] | None:
    return person and {**person, "name": _name(person.get("name"))}


def _name(name: str | None) -> str | None:
    """A name says who somebody is; one that has an address in it is an advertisement, and as good as none."""
    if not name or _ADDRESS.search(name):
        return None
    return truncate(one_line(_DIRECTION.sub("", name)), MAX_NAME_LENGTH) or None
