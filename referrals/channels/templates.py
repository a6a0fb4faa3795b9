"""Templates of the deployment: the built-in ones, an operator's own, and those of single campaigns."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from referrals.channels.message_content import MessageContent
from referrals.channels.page_context import EMPTY_PAGE_CONTEXT, RenderedPage
from referrals.channels.template_set import TemplateSet

TEMPLATES_DIR = Path(__file__).parents[2] / "templates"
"""Folder of `pages/`, the built-in public pages."""
BUILTIN_DIR = TEMPLATES_DIR / "messages"
"""Folder of the built-in messages, with the brand that pages share with them."""

_CAMPAIGN_ID = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}")


class Templates:
    """The built-in templates, and an operator's folder whose files take precedence.

    Files of the operator are `{locale}/{name}.jinja` and, for a single campaign, `{campaign}/{locale}/{name}.jinja`.
    The locale decides first: an English file of the operator does not replace a built-in German one. Within a locale
    the campaign's file comes first, then the operator's, then the built-in one. Public pages are `pages/{locale}.jinja`
    likewise. Templates are sandboxed, but written by operators: their running time is not limited.
    """

    def __init__(self, folder: Path | None = None) -> None:
        """Raises NotADirectoryError if the operator's folder does not exist."""
        if folder and not folder.is_dir():
            raise NotADirectoryError(f"the folder of templates does not exist: {folder}")
        self._folder = folder
        self._shared = TemplateSet([folder, *_builtin_dirs()] if folder else _builtin_dirs())
        self._by_campaign: dict[str, TemplateSet] = {}

    def render(
        self, name: str, locale: str | None, context: Mapping[str, Any], *, plain: bool = False
    ) -> MessageContent:
        """Render the message in the closest locale available: `de-AT`, else `de`, else `en`.

        Args:
            name: Name of the template, as in campaign files.
            locale: The customer's locale, `de-AT` or `de_at`; unknown and malformed ones count as none.
            context: See `EXAMPLE_CONTEXT`.
            plain: Render subject and text only, without HTML and WhatsApp.

        Raises:
            TemplateError: The template does not exist, or cannot be rendered with this context.
        """
        templates = self.for_campaign(context["campaign"]["id"])
        return templates.render(name, locale, context, plain=plain)

    def render_page(
        self,
        page: str,
        preferred: Sequence[str],
        campaign: tuple[str, str] | None = None,
        **variables: Any,
    ) -> RenderedPage:
        """Render a public page in the first of the preferred locales that there is, else in English.

        Args:
            page: One of `PAGES`.
            preferred: Locales of the reader, the best first.
            campaign: Id and name of the campaign, whose brand the page has.
            variables: Those of `EMPTY_PAGE_CONTEXT` that the page has.

        Raises:
            TemplateError: The page cannot be rendered.
        """
        campaign_id, name = campaign or (None, None)
        known = {"campaign": {"name": name}} if campaign else {}
        context = EMPTY_PAGE_CONTEXT | known | variables
        return self.for_campaign(campaign_id).render_page(page, preferred, context)

    def check(self, name: str, event: str, campaign: str | None = None) -> None:
        """Render every locale of the template with all, and with as few as possible, variables of the event.

        Raises:
            TemplateError: The template is missing (in English, the fallback of all locales), lacks a block, is not
                valid, uses a variable that does not exist or that this event does not have, or leaves a WhatsApp
                parameter empty.
        """
        self.for_campaign(campaign).check(name, event)

    def for_campaign(self, campaign: str | None) -> TemplateSet:
        """Return the templates that the campaign uses."""
        if not (self._folder and campaign and _CAMPAIGN_ID.fullmatch(campaign)):
            return self._shared
        if campaign not in self._by_campaign:
            if not (self._folder / campaign).is_dir():
                return self._shared
            folders = [self._folder / campaign, self._folder, *_builtin_dirs()]
            self._by_campaign[campaign] = TemplateSet(folders)
        return self._by_campaign[campaign]

    def campaigns(self) -> list[str]:
        """Return the campaigns that have templates of their own."""
        found = self._folder.glob("*/*/*.jinja") if self._folder else ()
        return sorted({path.parents[1].name for path in found})


def _builtin_dirs() -> list[Path]:
    return [BUILTIN_DIR, TEMPLATES_DIR]
