"""Find mistakes in templates of messages and public pages before anybody sees them."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from referrals.channels.errors import TemplateError
from referrals.channels.front_matter import (
    FrontMatter,
    HttpTemplate,
    WhatsAppTemplate,
    placeholders_in,
)
from referrals.channels.template_set import FALLBACK_LOCALE, TemplateSet
from referrals.channels.templates import Templates

MetaTemplate = dict[str, Any]
"""A template as Meta lists it."""


@dataclass(frozen=True, order=True)
class Finding:
    """A mistake in a template file; `line` is 0 if it concerns the whole file."""

    file: str
    line: int
    problem: str


@dataclass(frozen=True)
class _TemplateFile:
    """A readable template in one locale."""

    path: str
    file: str
    front_matter: FrontMatter
    variables: frozenset[str]


def check_templates(
    templates: Templates, approved: Sequence[MetaTemplate] | None = None
) -> list[Finding]:
    """Check all templates, built-in and custom, as each campaign uses them.

    Args:
        templates: The templates to check.
        approved: WhatsApp templates as Meta lists them (`data` of `GET /{waba}/message_templates`), if known.
    """
    findings: set[Finding] = set()
    for campaign in (None, *templates.campaigns()):
        findings.update(_check_set(templates.for_campaign(campaign), approved))
    return sorted(findings)


def _check_set(
    templates: TemplateSet, approved: Sequence[MetaTemplate] | None
) -> Iterator[Finding]:
    paths = templates.files()
    locales = {path.partition("/")[0] for path in paths}
    with_rewards = {locale for locale in locales if templates.exists(f"{locale}/_reward.jinja")}
    yield from _missing("_reward", locales - with_rewards, with_rewards)
    for name in sorted({path.partition("/")[2].removesuffix(".jinja") for path in paths}):
        yield from _check_message(templates, name, locales, approved)
    for path in templates.page_files():
        yield from _check_pages(templates, path)


def _check_pages(templates: TemplateSet, path: str) -> Iterator[Finding]:
    try:
        templates.check_pages(path)
    except TemplateError as error:
        file = str(templates.file_path(error.file or path))
        yield Finding(file, error.line or 0, error.problem)


def _check_message(
    templates: TemplateSet, name: str, locales: set[str], approved: Sequence[MetaTemplate] | None
) -> Iterator[Finding]:
    readable: list[_TemplateFile] = []
    for path in templates.paths(name):
        try:
            readable.append(_read(templates, path))
        except TemplateError as error:
            file = str(templates.file_path(error.file or path))
            yield Finding(file, error.line or 0, error.problem)
    existing = {path.partition("/")[0] for path in templates.paths(name)}
    yield from _missing(name, locales - existing, existing)
    yield from _differences_from_fallback(readable)
    for template in readable:
        if approved is not None and template.front_matter.whatsapp:
            yield from _check_approval(template, template.front_matter.whatsapp, approved)


def _read(templates: TemplateSet, path: str) -> _TemplateFile:
    front_matter = templates.front_matter(path)
    templates.check_file(path, front_matter.events)
    variables = frozenset(templates.variables(path))
    return _TemplateFile(path, str(templates.file_path(path)), front_matter, variables)


def _missing(name: str, missing: set[str], existing: set[str]) -> Iterator[Finding]:
    """Report missing locales. A regional locale (`de-AT`) may fall back to its language."""
    for locale in sorted(missing):
        file = f"{locale}/{name}.jinja"
        if locale == FALLBACK_LOCALE:
            yield Finding(file, 0, "is missing, and all other locales fall back to it")
        elif locale.partition("-")[0] not in existing:
            yield Finding(file, 0, "is missing, although other messages exist in this locale")


def _differences_from_fallback(files: Sequence[_TemplateFile]) -> Iterator[Finding]:
    english = next((file for file in files if file.path.startswith(f"{FALLBACK_LOCALE}/")), None)
    if english is None:
        return
    for file in files:
        for problem in _differences(file, english):
            yield Finding(file.file, 0, f"{problem} {english.path}")


def _differences(file: _TemplateFile, english: _TemplateFile) -> Iterator[str]:
    unused, extra = english.variables - file.variables, file.variables - english.variables
    if unused:
        yield f"does not use {', '.join(sorted(unused))}, unlike"
    if extra:
        yield f"uses {', '.join(sorted(extra))}, unlike"
    if file.front_matter.purpose != english.front_matter.purpose:
        yield f"is a {file.front_matter.purpose} message, unlike"
    here, there = (_whatsapp_shape(each.front_matter.whatsapp) for each in (file, english))
    if here != there:
        yield f"has the WhatsApp template {here}, not {there} as"
    here, there = (_http_shape(each.front_matter.http) for each in (file, english))
    if here != there:
        yield f"has for the channel http {here}, not {there} as"


def _whatsapp_shape(whatsapp: WhatsAppTemplate | None) -> str:
    """Describe what must be equal in all locales."""
    if whatsapp is None:
        return "none"
    parts = {
        "header": ", ".join(placeholder.kind for placeholder in whatsapp.header),
        "body": ", ".join(placeholder.kind for placeholder in whatsapp.body),
        "buttons": str(len(whatsapp.buttons) or ""),
    }
    shape = "; ".join(f"{part}: {kinds}" for part, kinds in parts.items() if kinds)
    return f"{whatsapp.template} ({shape})" if shape else whatsapp.template


def _http_shape(http: HttpTemplate | None) -> str:
    if http is None:
        return "nothing"
    return (
        ", ".join([*(["text"] if http.text is not None else []), *sorted(http.data)]) or "nothing"
    )


def _check_approval(
    file: _TemplateFile, whatsapp: WhatsAppTemplate, approved: Sequence[MetaTemplate]
) -> Iterator[Finding]:
    name = whatsapp.template
    language = whatsapp.language or file.path.partition("/")[0].replace("-", "_")
    same_name = [entry for entry in approved if entry.get("name") == name]
    entry = next((entry for entry in same_name if entry.get("language") == language), None)
    if entry is None:
        languages = ", ".join(sorted(str(entry.get("language")) for entry in same_name))
        known = f"Meta has it only in {languages}" if same_name else "Meta has none of this name"
        yield Finding(file.file, 0, f"the WhatsApp template {name} in {language}: {known}")
        return
    for problem in _differences_at_meta(file.front_matter, whatsapp, entry):
        yield Finding(file.file, 0, f"the WhatsApp template {name} in {language}: {problem}")


def _differences_at_meta(
    front_matter: FrontMatter, whatsapp: WhatsAppTemplate, entry: MetaTemplate
) -> Iterator[str]:
    purpose = front_matter.purpose
    category = "UTILITY" if purpose == "service" else "MARKETING"
    if entry.get("status", "APPROVED") != "APPROVED":
        yield f"its status is {entry['status']}"
    if entry.get("category", category) != category:
        yield f"Meta's category is {entry['category']}, but a {purpose} message needs {category}"
    parts = {part.get("type"): part for part in entry.get("components", ())}
    header, text = (str(parts.get(part, {}).get("text", "")) for part in ("HEADER", "BODY"))
    urls = [str(b.get("url", "")) for b in parts.get("BUTTONS", {}).get("buttons", ())]
    counts = {
        "header": (len(whatsapp.header), len(set(placeholders_in(header)))),
        "body": (len(whatsapp.body), len(set(placeholders_in(text)))),
        "buttons": (len(whatsapp.buttons), sum(bool(placeholders_in(url)) for url in urls)),
    }
    for part, (here, there) in counts.items():
        if here != there:
            yield f"{part} has {here} parameters here, {there} at Meta"
    if text and " ".join(text.split()) != " ".join(whatsapp.text.split()):
        yield "its text differs from the text at Meta"
