"""What is wrong with templates, found before anything is sent."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from referrals.channels.errors import TemplateError
from referrals.channels.front_matter import FrontMatter, WhatsAppTemplate, placeholders_in
from referrals.channels.jinja_environment import referenced_variables
from referrals.channels.templates import FALLBACK_LOCALE, Templates, TemplateSet


@dataclass(frozen=True, order=True)
class Finding:
    """A mistake, with the file as it stands on disk and, if known, the line."""

    file: str
    line: int
    """0 where it is the whole file."""
    problem: str


@dataclass(frozen=True)
class _Seen:
    """One template in one locale that can be read."""

    path: str
    file: str
    front: FrontMatter
    variables: frozenset[str]


def check_templates(
    templates: Templates, approved: Sequence[dict[str, Any]] | None = None
) -> list[Finding]:
    """What is wrong with all templates, the built-in and the own, as every campaign sees them.

    Args:
        templates: All that there are.
        approved: WhatsApp templates as Meta lists them (`data` of `GET /{waba}/message_templates`), where known.
    """
    found: set[Finding] = set()
    for campaign in (None, *templates.campaigns()):
        found.update(_check_set(templates.of(campaign), approved))
    return sorted(found)


def _check_set(
    templates: TemplateSet, approved: Sequence[dict[str, Any]] | None
) -> Iterator[Finding]:
    files = templates.files()
    locales = {path.partition("/")[0] for path in files}
    worded = {locale for locale in locales if templates.has(f"{locale}/_reward.jinja")}
    yield from _absent("_reward", locales - worded, worded)
    for name in sorted({path.partition("/")[2].removesuffix(".jinja") for path in files}):
        seen: list[_Seen] = []
        for path in templates.paths(name):
            try:
                seen.append(_read(templates, path))
            except TemplateError as error:
                file = str(templates.place(error.file or path))
                yield Finding(file, error.line or 0, error.problem)
        there = {path.partition("/")[0] for path in templates.paths(name)}
        yield from _absent(name, locales - there, there)
        yield from _differences(seen)
        for one in seen:
            if approved is not None and one.front.whatsapp:
                yield from _check_approved(one, one.front.whatsapp, approved)


def _read(templates: TemplateSet, path: str) -> _Seen:
    front = templates.front(path)
    templates.check_file(path, front.events)
    variables = frozenset(referenced_variables(templates.plain, path))
    return _Seen(path, str(templates.place(path)), front, variables)


def _absent(name: str, missing: set[str], there: set[str]) -> Iterator[Finding]:
    """A region's locale (`de-AT`) need not have all: its language's comes in."""
    for locale in sorted(missing):
        file = f"{locale}/{name}.jinja"
        if locale == FALLBACK_LOCALE:
            yield Finding(file, 0, "is not there, and all other locales fall back to it")
        elif locale.partition("-")[0] not in there:
            yield Finding(file, 0, "is not there, though other messages are in this locale")


def _differences(seen: Sequence[_Seen]) -> Iterator[Finding]:
    """What other locales have otherwise than English, to which they fall back."""
    first = next((one for one in seen if one.path.startswith(f"{FALLBACK_LOCALE}/")), None)
    if first is None:
        return
    for other in seen:
        for problem in _different(other, first):
            yield Finding(other.file, 0, f"{problem} {first.path}")


def _different(other: _Seen, first: _Seen) -> Iterator[str]:
    absent, more = first.variables - other.variables, other.variables - first.variables
    if absent:
        yield f"does not use {', '.join(sorted(absent))}, unlike"
    if more:
        yield f"uses {', '.join(sorted(more))}, unlike"
    if other.front.purpose != first.front.purpose:
        yield f"is a {other.front.purpose} message, unlike"
    if _shape(other.front.whatsapp) != _shape(first.front.whatsapp):
        yield f"has the WhatsApp template {_shape(other.front.whatsapp)}, not {_shape(first.front.whatsapp)} as"


def _shape(whatsapp: WhatsAppTemplate | None) -> str:
    """What must be alike in all locales."""
    if whatsapp is None:
        return "none"
    places = {
        "header": ", ".join(place.kind for place in whatsapp.header),
        "body": ", ".join(place.kind for place in whatsapp.body),
        "buttons": str(len(whatsapp.buttons) or ""),
    }
    told = "; ".join(f"{part}: {kinds}" for part, kinds in places.items() if kinds)
    return f"{whatsapp.template} ({told})" if told else whatsapp.template


def _check_approved(
    one: _Seen, whatsapp: WhatsAppTemplate, approved: Sequence[dict[str, Any]]
) -> Iterator[Finding]:
    name = whatsapp.template
    language = whatsapp.language or one.path.partition("/")[0].replace("-", "_")
    of_name = [entry for entry in approved if entry.get("name") == name]
    entry = next((entry for entry in of_name if entry.get("language") == language), None)
    if entry is None:
        languages = ", ".join(sorted(str(entry.get("language")) for entry in of_name))
        has = f"Meta has it in {languages} only" if of_name else "Meta has none of this name"
        yield Finding(one.file, 0, f"the WhatsApp template {name} in {language}: {has}")
        return
    for problem in _unlike(one.front, whatsapp, entry):
        yield Finding(one.file, 0, f"the WhatsApp template {name} in {language}: {problem}")


def _unlike(front: FrontMatter, whatsapp: WhatsAppTemplate, entry: dict[str, Any]) -> Iterator[str]:
    category = "UTILITY" if front.purpose == "service" else "MARKETING"
    if entry.get("status", "APPROVED") != "APPROVED":
        yield f"its status is {entry['status']}"
    if entry.get("category", category) != category:
        yield f"Meta's category is {entry['category']}, but a {front.purpose} message needs {category}"
    parts = {part.get("type"): part for part in entry.get("components", ())}
    urls = [str(b.get("url", "")) for b in parts.get("BUTTONS", {}).get("buttons", ())]
    text = str(parts.get("BODY", {}).get("text", ""))
    counts = {
        "header": (
            len(whatsapp.header),
            len(set(placeholders_in(str(parts.get("HEADER", {}).get("text", ""))))),
        ),
        "body": (len(whatsapp.body), len(set(placeholders_in(text)))),
        "buttons": (len(whatsapp.buttons), sum(bool(placeholders_in(url)) for url in urls)),
    }
    for part, (here, there) in counts.items():
        if here != there:
            yield f"{part} has {here} parameters here, {there} at Meta"
    if text and " ".join(text.split()) != " ".join(whatsapp.text.split()):
        yield "its text reads otherwise at Meta"
