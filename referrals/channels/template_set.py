"""Render messages for every channel, and public pages, from an ordered set of template folders, in the closest locale."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from babel import UnknownLocaleError
from jinja2 import Template

from referrals.channels.email_html import mjml_problems, mjml_to_html
from referrals.channels.errors import TemplateError
from referrals.channels.front_matter import FrontMatter, block_name
from referrals.channels.jinja_environment import (
    MAX_PART_LENGTH,
    check_variables,
    create_environment,
    load_template,
    read_source,
    referenced_variables,
    render_block,
    render_with_layout,
)
from referrals.channels.localisation import closest_locale, localise_context, one_line, truncate
from referrals.channels.message_content import HttpMessage, MessageContent
from referrals.channels.page_context import EXAMPLE_PAGE_CONTEXT, PAGE_BLOCKS, PAGES, RenderedPage
from referrals.channels.template_context import EXAMPLE_CONTEXT, example_contexts
from referrals.channels.template_loader import TemplateLoader
from referrals.channels.whatsapp_parameters import EmptyParameter, WhatsAppRenderer

FALLBACK_LOCALE = "en"
MAX_SUBJECT_LENGTH = 200
"""Characters; a longer subject is truncated."""

_BLANK_LINES = re.compile(r"\n{3,}")
_NAME = re.compile(r"[a-z][a-z0-9_]{0,62}")
_SUBTAG = re.compile(r"[A-Za-z0-9]{1,8}")
_LOCALE = re.compile(r"[a-z]{2,3}(-[A-Za-z0-9]{1,8})*")
_PAGES_FOLDER = "pages/"


@dataclass(frozen=True)
class _Rendering:
    """Template and localised variables of one message that is being rendered."""

    template: Template
    variables: dict[str, Any]

    def part(self, name: str) -> dict[str, Any]:
        return self.variables | {"part": name}


class TemplateSet:
    """Templates of several folders; a file in an earlier folder hides the same file in a later one."""

    def __init__(self, folders: list[Path]) -> None:
        self._folders = folders
        self._loader = TemplateLoader(folders)
        self._text_environment = create_environment(self._loader, escape=False)
        self._html_environment = create_environment(self._loader, escape=True)

    def render(
        self, name: str, locale: str | None, context: Mapping[str, Any], *, plain: bool = False
    ) -> MessageContent:
        check_name(name)
        tags = _locale_chain(locale)
        rendering = self._prepare([f"{tag}/{name}.jinja" for tag in tags], context, tags[0])
        content = self._render_text(rendering)
        return content if plain else self._add_channel_parts(content, rendering)

    def render_page(
        self, page: str, preferred: Sequence[str], variables: Mapping[str, Any]
    ) -> RenderedPage:
        """Render a public page in the first of the preferred locales that there is, else in English."""
        tags = [tag for locale in preferred for tag in _locale_tags(locale)]
        paths = [f"{_PAGES_FOLDER}{tag}.jinja" for tag in (*tags, FALLBACK_LOCALE)]
        template = load_template(self._html_environment, paths)
        found = _page_locale(str(template.name))
        wanted = next((tag for tag in tags if found in _locale_tags(tag)), found)
        localised = self._localise(found, variables, wanted)
        html = render_with_layout(template, {**localised, "page": page})
        return RenderedPage(html, localised["locale"])

    def page_files(self) -> list[str]:
        """Return the files of the public pages, one for each locale."""
        pages = (p for p in self._loader.list_templates() if p.startswith(_PAGES_FOLDER))
        return [path for path in pages if _LOCALE.fullmatch(_page_locale(path))]

    def check_pages(self, path: str) -> None:
        """Render all pages of one locale with example values. Raises TemplateError."""
        blocks = load_template(self._html_environment, [path]).blocks
        if missing := [name for name in PAGE_BLOCKS if name not in blocks]:
            raise TemplateError(f"there is no block {', '.join(missing)}", path)
        for page in PAGES:
            self.render_page(page, [_page_locale(path)], EXAMPLE_PAGE_CONTEXT)

    def check(self, name: str, event: str) -> None:
        check_name(name)
        for path in dict.fromkeys([f"{FALLBACK_LOCALE}/{name}.jinja", *self.paths(name)]):
            self.check_file(path, (event,))

    def check_file(self, path: str, events: tuple[str, ...]) -> None:
        """Check one file, as `Templates.check` does. Raises TemplateError."""
        check_variables(self._text_environment, path)
        for line, problem in mjml_problems(read_source(self._text_environment, path)):
            raise TemplateError(problem, path, line)
        contexts = [context for event in events for context in example_contexts(event)]
        for context in contexts or [EXAMPLE_CONTEXT]:
            rendering = self._prepare([path], context, path.partition("/")[0])
            self._add_channel_parts(self._render_text(rendering), rendering, strict=True)

    def paths(self, name: str) -> list[str]:
        """Return the files of the template, one for each locale."""
        return [path for path in self.files() if path.partition("/")[2] == f"{name}.jinja"]

    def files(self) -> list[str]:
        """Return `{locale}/{name}.jinja` of every message."""
        return [
            f"{locale}/{name}"
            for locale, _, name in (p.partition("/") for p in self._loader.list_templates())
            if _LOCALE.fullmatch(locale) and _NAME.fullmatch(name.removesuffix(".jinja"))
        ]

    def find(self, name: str, locale: str | None) -> str:
        """Return the path of the file that `render` would use."""
        check_name(name)
        paths = [f"{tag}/{name}.jinja" for tag in _locale_chain(locale)]
        return str(load_template(self._text_environment, paths).name)

    def front_matter(self, path: str) -> FrontMatter:
        return self._loader.front_matter(load_template(self._text_environment, [path]).filename)

    def variables(self, path: str) -> set[str]:
        """Return the context variables that the file uses."""
        return referenced_variables(self._text_environment, path)

    def file_path(self, path: str) -> Path:
        """Return the path on disk, or `path` itself if there is no such file."""
        return next(self._files_on_disk(path), Path(path))

    def exists(self, path: str) -> bool:
        return any(self._files_on_disk(path))

    def _files_on_disk(self, path: str) -> Iterator[Path]:
        return (folder / path for folder in self._folders if (folder / path).is_file())

    def _prepare(self, paths: list[str], context: Mapping[str, Any], wanted: str) -> _Rendering:
        template = load_template(self._text_environment, paths)
        found = str(template.name).partition("/")[0]
        return _Rendering(template, self._localise(found, context, wanted))

    def _localise(self, found: str, context: Mapping[str, Any], wanted: str) -> dict[str, Any]:
        try:
            locale = closest_locale(wanted, found)
        except (UnknownLocaleError, ValueError):
            locale = FALLBACK_LOCALE
        paths = [f"{tag}/_reward.jinja" for tag in _locale_chain(found)]
        reward_texts = load_template(self._text_environment, paths)

        def render_text(reward: Mapping[str, Any], name: str) -> str:
            return render_block(reward_texts, name, {**reward, "locale": locale})

        return {**localise_context(context, render_text), "locale": locale}

    def _render_text(self, rendering: _Rendering) -> MessageContent:
        template = rendering.template
        subject = one_line(render_block(template, "subject", rendering.part("subject")))
        return MessageContent(
            subject=truncate(subject, MAX_SUBJECT_LENGTH),
            text=_text_part(template, rendering.part("text")),
            purpose=self._loader.front_matter(template.filename).purpose,
            locale=rendering.variables["locale"],
        )

    def _add_channel_parts(
        self, content: MessageContent, rendering: _Rendering, *, strict: bool = False
    ) -> MessageContent:
        """Add the parts for email, WhatsApp and the operator's endpoint. Without `strict`, an empty WhatsApp parameter drops the WhatsApp part."""
        template = rendering.template
        try:
            front_matter = self._loader.front_matter(template.filename)
            renderer = WhatsAppRenderer(template, rendering.part("whatsapp"))
            whatsapp = renderer.render(front_matter)
        except EmptyParameter:
            if strict:
                raise
            whatsapp = None
        html_template = load_template(self._html_environment, [str(template.name)])
        html = _html_part(html_template, rendering.part("email"))
        http = _http_part(template, rendering.part("http"), front_matter, content.text)
        return replace(content, html=html, whatsapp=whatsapp, http=http)


def _text_part(template: Template, variables: Mapping[str, Any]) -> str:
    """Return the text, in the layout if the email has it too."""
    if "text" not in template.blocks or "email" not in template.blocks:
        return render_block(template, "text", variables)
    return _BLANK_LINES.sub("\n\n", render_with_layout(template, variables))


def _http_part(
    template: Template, variables: Mapping[str, Any], front_matter: FrontMatter, text: str
) -> HttpMessage | None:
    if front_matter.http is None:
        return None

    def render(*path: str) -> str:
        return one_line(render_block(template, block_name(("http", *path)), variables))

    short_text = render("text") if front_matter.http.text is not None else text
    data = {name: render("data", name) for name in front_matter.http.data}
    return HttpMessage(short_text, data)


def _html_part(template: Template, variables: Mapping[str, Any]) -> str:
    """Return the HTML from MJML in the layout, or the complete document of the block `html`."""
    if "html" in template.blocks:
        return render_block(template, "html", variables)
    if "email" not in template.blocks:
        raise TemplateError("there is no block 'email'", template.name)
    mjml = render_with_layout(template, variables)
    try:
        document = mjml_to_html(mjml)
    except ValueError as error:
        raise TemplateError(str(error), template.name) from error
    if len(document) > MAX_PART_LENGTH:
        raise TemplateError(f"the email is longer than {MAX_PART_LENGTH} characters", template.name)
    return document


def check_name(name: str) -> None:
    """Raise TemplateError if the name could be a path."""
    if not _NAME.fullmatch(name):
        raise TemplateError(
            f"the template name {name[:80]!r} must be 1 to 63 lower-case letters, digits and _, "
            "and begin with a letter"
        )


def _locale_chain(locale: str | None) -> list[str]:
    """Return the folders in which to look for the locale, closest first: `de-AT`, `de`, `en`."""
    return [*_locale_tags(locale or FALLBACK_LOCALE), FALLBACK_LOCALE]


def _locale_tags(locale: str) -> list[str]:
    """Return the locale and those that contain it, closest first: `de-AT`, `de`."""
    language, *rest = _SUBTAG.findall(locale)[:3] or [FALLBACK_LOCALE]
    tags = [language.lower(), *(tag.upper() if len(tag) == 2 else tag.title() for tag in rest)]  # noqa: PLR2004
    return ["-".join(tags[:length]) for length in range(len(tags), 0, -1)]


def _page_locale(path: str) -> str:
    return path.removeprefix(_PAGES_FOLDER).removesuffix(".jinja")
