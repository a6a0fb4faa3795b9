"""Localise template values: dates, numbers and money by CLDR, texts of rewards, sanitised names."""

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
"""Characters of a person's name; a longer one is truncated."""

_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")
_DIRECTION = re.compile(r"[\u200e\u200f\u202a-\u202e\u2066-\u2069]")
_ADDRESS = re.compile(r"://|@\w|\bwww\.|\w{3,}\.[a-z]{2,}|\.[a-z]{2,}/", re.IGNORECASE)
_PEOPLE = ("recipient", "advocate", "friend")


def strip_control_characters(text: str) -> str:
    """Return the text without control characters (except tabs and line feeds) and unpaired surrogates."""
    return _CONTROL.sub("", text)


def one_line(text: str) -> str:
    """Return the text without control characters, with runs of white space collapsed to single spaces."""
    return " ".join(_CONTROL.sub(" ", text).split())


def truncate(text: str, length: int) -> str:
    """Return the text, or its beginning with an ellipsis if it is longer than `length`."""
    return text if len(text) <= length else f"{text[: length - 1].rstrip()}…"


@lru_cache(maxsize=256)
def closest_locale(wanted: str, found: str) -> str:
    """Return the reader's locale if the template found is in its language, else the template's locale.

    Raises:
        UnknownLocaleError: CLDR knows neither.
    """
    if wanted.partition("-")[0] == found.partition("-")[0]:
        try:
            return str(Locale.parse(wanted, sep="-")).replace("_", "-")
        except (UnknownLocaleError, ValueError):
            pass
    return str(Locale.parse(found, sep="-")).replace("_", "-")


@lru_cache(maxsize=256)
def _parse_locale(tag: str) -> Locale:
    return Locale.parse(tag, sep="-")


def _context_locale(context: JinjaContext) -> Locale:
    return _parse_locale(context["locale"])


def format_money(amount: str, currency: str, locale: str) -> str:
    """Format an amount in major units. Raises InvalidOperation if it is not a number."""
    return format_currency(Decimal(amount), currency, locale=_parse_locale(locale))


@pass_context
def format_value(context: JinjaContext, value: object) -> object:
    """Format the value of an expression: a date in long form, None as nothing."""
    if isinstance(value, date):
        return format_date(value, "long", _context_locale(context))
    return "" if value is None else value


@pass_context
def date_filter(context: JinjaContext, value: date | None, style: str = "long") -> str:
    """Format a date: `{{ due_at | date }}`, with a style (`short`, `medium`, `full`) or a CLDR pattern (`EEEE, d. MMMM`)."""
    return format_date(value, style, _context_locale(context)) if value else ""


@pass_context
def money_filter(context: JinjaContext, amount: str, currency: str) -> str:
    """Format money: `{{ "25.00" | money("EUR") }}` is €25.00 or 25,00 €."""
    return format_money(amount, currency, context["locale"])


@pass_context
def number_filter(context: JinjaContext, value: int | str) -> str:
    """Format a number: `{{ 1000 | number }}` is 1,000 or 1.000."""
    return format_decimal(Decimal(value), locale=_context_locale(context))


FILTERS: dict[str, Callable[..., Any]] = {
    "date": date_filter,
    "money": money_filter,
    "number": number_filter,
}

REWARD_TEXTS = ("label", "description")
RenderText = Callable[[Mapping[str, Any], str], str]
"""Renders the `label` or the `description` of a reward."""


class LocalisedReward(dict[str, Any]):
    """A reward whose texts are rendered when a template first uses them; most templates use few."""

    def __init__(self, reward: Mapping[str, Any], render_text: RenderText) -> None:
        super().__init__(reward)
        self._render_text = render_text

    def __missing__(self, name: str) -> str:
        if name not in REWARD_TEXTS:
            raise KeyError(name)
        self[name] = self._render_text(self, name)
        return str(self[name])


def localise_context(context: Mapping[str, Any], render_text: RenderText) -> dict[str, Any]:
    """Return the context for a template: rewards have `label` and `description`, names are sanitised.

    No text in it has control characters.
    """

    def localise(reward: Mapping[str, Any] | None) -> Mapping[str, Any] | None:
        return LocalisedReward(reward, render_text) if reward else None

    people = {key: _with_safe_name(context[key]) for key in _PEOPLE if key in context}
    context = _strip_all({**context, **people})
    return {
        **context,
        "reward": localise(context.get("reward")),
        "rewards": [localise(reward) for reward in context.get("rewards", ())],
        "offer": {side: localise(reward) for side, reward in context.get("offer", {}).items()},
    }


def _strip_all(value: Any) -> Any:
    if isinstance(value, str):
        return strip_control_characters(value)
    if isinstance(value, Mapping):
        return {key: _strip_all(inner) for key, inner in value.items()}
    return [_strip_all(inner) for inner in value] if isinstance(value, list) else value


def _with_safe_name(person: Mapping[str, Any] | None) -> Mapping[str, Any] | None:
    return person and {**person, "name": _safe_name(person.get("name"))}


def _safe_name(name: str | None) -> str | None:
    """Return None for a name that contains a web or email address: it would advertise in our messages."""
    if not name or _ADDRESS.search(name):
        return None
    return truncate(one_line(_DIRECTION.sub("", name)), MAX_NAME_LENGTH) or None
