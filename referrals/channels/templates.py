"""Messages from templates: one file a message and locale, for every channel at once."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from babel import UnknownLocaleError
from jinja2 import Template

from referrals.channels.email_html import mjml_problems, mjml_to_html
from referrals.channels.errors import TemplateError
from referrals.channels.front_matter import FrontMatter, TemplateLoader
from referrals.channels.jinja_environment import (
    MAX_PART_LENGTH,
    check_variables,
    create_environment,
    load_template,
    read_source,
    render_block,
    render_with_layout,
)
from referrals.channels.localisation import closest_locale, localise_context, one_line, truncate
from referrals.channels.message_content import MessageContent
from referrals.channels.template_context import EXAMPLE_CONTEXT, example_contexts
from referrals.channels.whatsapp_parameters import EmptyParameter, WhatsAppRenderer

BUILTIN_DIR = Path(__file__).parents[2] / "templates" / "messages"
FALLBACK_LOCALE = "en"
MAX_SUBJECT_LENGTH = 200
"""Characters; a longer subject is cut."""

_BLANK = re.compile(r"\n{3,}")
_NAME = re.compile(r"[a-z][a-z0-9_]{0,62}")
_CAMPAIGN = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}")
_SUBTAG = re.compile(r"[A-Za-z0-9]{1,8}")
_LOCALE = re.compile(r"[a-z]{2,3}(-[A-Za-z0-9]{1,8})*")


class Templates:
    """The built-in templates, and an operator's own folder whose files take precedence.

    Own files are `{locale}/{name}.jinja` and, for one campaign alone, `{campaign}/{locale}/{name}.jinja`. The locale
    decides first: own English files do not replace a built-in German one. In one locale the campaign's file comes first,
    then the own, then the built-in. Templates are sandboxed, but written by operators: nothing limits the work that
    one does.
    """

    def __init__(self, own: Path | None = None) -> None:
        if own and not own.is_dir():
            raise NotADirectoryError(f"the folder of own templates is not there: {own}")
        self._own = own
        self._shared = TemplateSet([own, BUILTIN_DIR] if own else [BUILTIN_DIR])
        self._of_campaigns: dict[str, TemplateSet] = {}

    def render(
        self, name: str, locale: str | None, context: Mapping[str, Any], *, plain: bool = False
    ) -> MessageContent:
        """The message in the closest locale there is: `de-AT`, else `de`, else `en`.

        Args:
            name: As campaign files give it.
            locale: As the customer has it, `de-AT` or `de_at`; an unknown or malformed one is as good as none.
            context: See `EXAMPLE_CONTEXT`.
            plain: Without the parts that only a mail or WhatsApp has.

        Raises:
            TemplateError: There is no such template, or it cannot be rendered with this context.
        """
        return self.of(context["campaign"]["id"]).render(name, locale, context, plain=plain)

    def check(self, name: str, event: str, campaign: str | None = None) -> None:
        """Render every locale of the template with all, and with as little as, that event can tell.

        Raises:
            TemplateError: The template is missing (in English, which all other locales fall back to), lacks a block,
                is no valid template, uses a variable that does not exist or that this event does not have, or leaves
                a WhatsApp parameter empty.
        """
        self.of(campaign).check(name, event)

    def of(self, campaign: str | None) -> "TemplateSet":
        """The templates as the campaign sees them."""
        if not (self._own and campaign and _CAMPAIGN.fullmatch(campaign)):
            return self._shared
        if campaign not in self._of_campaigns:
            if not (self._own / campaign).is_dir():
                return self._shared
            folders = [self._own / campaign, self._own, BUILTIN_DIR]
            self._of_campaigns[campaign] = TemplateSet(folders)
        return self._of_campaigns[campaign]

    def campaigns(self) -> list[str]:
        """Those that have templates of their own."""
        found = self._own.glob("*/*/*.jinja") if self._own else ()
        return sorted({path.parents[1].name for path in found})


class TemplateSet:
    """The templates of some folders; an earlier folder's file hides that of a later one."""

    def __init__(self, folders: list[Path]) -> None:
        self._folders = folders
        self._loader = TemplateLoader(folders)
        self.plain = create_environment(self._loader, escape=False)
        self._html = create_environment(self._loader, escape=True)

    def render(
        self, name: str, locale: str | None, context: Mapping[str, Any], *, plain: bool = False
    ) -> MessageContent:
        check_name(name)
        tags = _tags(locale)
        paths = [f"{tag}/{name}.jinja" for tag in tags]
        rendered, template, variables = self._words(paths, context, tags[0])
        return rendered if plain else self._dressed(rendered, template, variables)

    def check(self, name: str, event: str) -> None:
        check_name(name)
        for path in dict.fromkeys([f"{FALLBACK_LOCALE}/{name}.jinja", *self.paths(name)]):
            self.check_file(path, (event,))

    def check_file(self, path: str, events: tuple[str, ...]) -> None:
        """Raises TemplateError as `Templates.check` does, for the one file."""
        check_variables(self.plain, path)
        for line, problem in mjml_problems(read_source(self.plain, path)):
            raise TemplateError(problem, path, line)
        known = [context for event in events for context in example_contexts(event)]
        for context in known or [EXAMPLE_CONTEXT]:
            self._dressed(*self._words([path], context, path.partition("/")[0]), strict=True)

    def paths(self, name: str) -> list[str]:
        """The files of that template, one for each locale."""
        return [path for path in self.files() if path.partition("/")[2] == f"{name}.jinja"]

    def files(self) -> list[str]:
        """`{locale}/{name}.jinja`, of every message."""
        return [
            f"{locale}/{name}"
            for locale, _, name in (p.partition("/") for p in self._loader.list_templates())
            if _LOCALE.fullmatch(locale) and _NAME.fullmatch(name.removesuffix(".jinja"))
        ]

    def find(self, name: str, locale: str | None) -> str:
        """The path of the file that would be rendered."""
        check_name(name)
        paths = [f"{tag}/{name}.jinja" for tag in _tags(locale)]
        return str(load_template(self.plain, paths).name)

    def front(self, path: str) -> FrontMatter:
        return self._loader.front(load_template(self.plain, [path]).filename)

    def place(self, path: str) -> Path:
        """Where the file stands on disk; the path itself where there is none."""
        return next(self._places(path), Path(path))

    def has(self, path: str) -> bool:
        return any(self._places(path))

    def _places(self, path: str) -> Iterator[Path]:
        return (folder / path for folder in self._folders if (folder / path).is_file())

    def _words(
        self, paths: list[str], context: Mapping[str, Any], wanted: str
    ) -> tuple[MessageContent, Template, dict[str, Any]]:
        """What every channel has of a message; with the template and the variables that it was made of."""
        plain = load_template(self.plain, paths)
        variables = self._localised(str(plain.name).partition("/")[0], context, wanted)
        subject = one_line(render_block(plain, "subject", variables | {"part": "subject"}))
        rendered = MessageContent(
            subject=truncate(subject, MAX_SUBJECT_LENGTH),
            text=self._text(plain, variables | {"part": "text"}),
            purpose=self._loader.front(plain.filename).purpose,
        )
        return rendered, plain, variables

    def _dressed(
        self,
        rendered: MessageContent,
        plain: Template,
        variables: dict[str, Any],
        *,
        strict: bool = False,
    ) -> MessageContent:
        """With what only a mail or WhatsApp has."""
        try:
            front = self._loader.front(plain.filename)
            whatsapp = WhatsAppRenderer(plain, variables | {"part": "whatsapp"}).message(front)
        except EmptyParameter:
            # Another channel may do without.
            if strict:
                raise
            whatsapp = None
        html = self._mail(
            load_template(self._html, [str(plain.name)]), variables | {"part": "mail"}
        )
        return replace(rendered, html=html, whatsapp=whatsapp)

    def _localised(self, found: str, context: Mapping[str, Any], wanted: str) -> dict[str, Any]:
        try:
            locale = closest_locale(wanted, found)
        except (UnknownLocaleError, ValueError):
            locale = FALLBACK_LOCALE
        words = load_template(self.plain, [f"{tag}/_reward.jinja" for tag in _tags(found)])

        def word(reward: Mapping[str, Any], part: str) -> str:
            return render_block(words, part, {**reward, "locale": locale})

        return {**localise_context(context, word), "locale": locale}

    def _text(self, plain: Template, variables: Mapping[str, Any]) -> str:
        """In the frame that the file extends, with single blank lines."""
        if "text" not in plain.blocks or "mail" not in plain.blocks:
            return render_block(plain, "text", variables)
        return _BLANK.sub("\n\n", render_with_layout(plain, variables))

    def _mail(self, html: Template, variables: Mapping[str, Any]) -> str:
        """MJML in the layout that the file extends, or a document that is the file's own from end to end."""
        if "html" in html.blocks:
            return render_block(html, "html", variables)
        if "mail" not in html.blocks:
            raise TemplateError("there is no block 'mail'", html.name)
        mjml = render_with_layout(html, variables)
        try:
            document = mjml_to_html(mjml)
        except ValueError as error:
            raise TemplateError(str(error), html.name) from error
        if len(document) > MAX_PART_LENGTH:
            raise TemplateError(f"its mail is longer than {MAX_PART_LENGTH} characters", html.name)
        return document


def check_name(name: str) -> None:
    """Raises TemplateError where the name could be a path."""
    if not _NAME.fullmatch(name):
        raise TemplateError(
            f"the template name {name[:80]!r} must be 1 to 63 lower-case letters, digits and _, "
            "and begin with a letter"
        )


def _tags(locale: str | None) -> list[str]:
    """The locale's folders, the closest first."""
    language, *rest = _SUBTAG.findall(locale or "")[:3] or [FALLBACK_LOCALE]
    tags = [language.lower(), *(tag.upper() if len(tag) == 2 else tag.title() for tag in rest)]  # noqa: PLR2004
    closest_first = ["-".join(tags[:length]) for length in range(len(tags), 0, -1)]
    return [*closest_first, FALLBACK_LOCALE]
