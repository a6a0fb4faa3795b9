"""Messages from Jinja2 templates: one file a message and locale, with a block for each part of it."""

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from traceback import walk_tb
from types import FrameType
from typing import Any

from jinja2 import FileSystemLoader, StrictUndefined, Template, meta, nodes
from jinja2.exceptions import TemplatesNotFound, TemplateSyntaxError, UndefinedError
from jinja2.sandbox import ImmutableSandboxedEnvironment

from referrals.channels.context import EXAMPLE_CONTEXT, examples
from referrals.channels.rendered import Rendered

BUILT_IN = Path(__file__).parents[2] / "templates" / "messages"
FALLBACK = "en"
MAX_SUBJECT = 200
"""Characters; a longer subject is cut."""
MAX_PART = 100_000
"""Characters of a text or html part; a longer one is an error (mail clients cut a message near 100 kB)."""

_NAME = re.compile(r"[a-z][a-z0-9_]{0,62}")
_SUBTAG = re.compile(r"[A-Za-z0-9]{1,8}")
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")


class TemplateError(Exception):
    """A template is missing or wrong; the sentence names the file (`en/milestone.jinja`) and, if known, the line."""


class Templates:
    """The built-in templates, and an operator's own folder whose files take precedence.

    Both are laid out as `{locale}/{name}.jinja`. The locale decides first: own English files do not replace a
    built-in German one. Templates are sandboxed, but written by operators: nothing limits the work that one does.
    """

    def __init__(self, own: Path | None = None) -> None:
        if own and not own.is_dir():
            raise NotADirectoryError(f"the folder of own templates is not there: {own}")
        self._loader = FileSystemLoader([own, BUILT_IN] if own else [BUILT_IN], followlinks=True)
        self._plain = _environment(self._loader, escape=False)
        self._html = _environment(self._loader, escape=True)

    def render(self, name: str, locale: str | None, context: Mapping[str, Any]) -> Rendered:
        """The message in the closest locale there is: `de-AT`, else `de`, else `en`.

        Args:
            name: As campaign files give it.
            locale: As the customer has it, `de-AT` or `de_at`; an unknown or malformed one is as good as none.
            context: See `EXAMPLE_CONTEXT`.

        Raises:
            TemplateError: There is no such template, or it cannot be rendered with this context.
        """
        _check_name(name)
        return self._render(_paths(name, locale), context)

    def is_built_in(self, name: str) -> bool:
        """Whether the engine brings a template of this name: then it is a service message."""
        return (BUILT_IN / FALLBACK / f"{name}.jinja").is_file()

    def check(self, name: str, event: str) -> None:
        """Render every locale of the template with all, and with as little as, that event can tell.

        Raises:
            TemplateError: The template is missing (in English, which all other locales fall back to), lacks a block,
                is no valid template, or uses a variable that does not exist or that this event does not have.
        """
        _check_name(name)
        a_locale = re.compile(rf"[^/]+/{name}\.jinja")
        found = filter(a_locale.fullmatch, self._loader.list_templates())
        for path in dict.fromkeys([f"{FALLBACK}/{name}.jinja", *found]):
            self._check_variables(path)
            for context in examples(event):
                self._render([path], context)

    def _render(self, paths: list[str], context: Mapping[str, Any]) -> Rendered:
        plain = _load(self._plain, paths)
        path = str(plain.name)
        html = _load(self._html, [path])
        variables = {**context, "locale": path.partition("/")[0]}
        subject = one_line(_block(plain, "subject", variables))
        return Rendered(
            subject=subject if len(subject) <= MAX_SUBJECT else f"{subject[: MAX_SUBJECT - 1]}…",
            text=_block(plain, "text", variables),
            html=_block(html, "html", variables),
            purpose="service" if self.is_built_in(Path(path).stem) else "marketing",
        )

    def _check_variables(self, path: str) -> None:
        """Find unknown variables in the branches that no example reaches, too."""
        tree = self._plain.parse(_source(_load(self._plain, [path])))
        unknown = meta.find_undeclared_variables(tree) - EXAMPLE_CONTEXT.keys() - {"locale"}
        for node in tree.find_all(nodes.Name):
            if node.name in unknown:
                raise TemplateError(
                    f"{path}, line {node.lineno}: there is no variable {node.name!r}, "
                    f"only {', '.join(EXAMPLE_CONTEXT)}"
                )


def one_line(text: str) -> str:
    """The text without control characters, and with single spaces for all runs of white space."""
    return " ".join(_CONTROL.sub(" ", text).split())


def _environment(loader: FileSystemLoader, *, escape: bool) -> ImmutableSandboxedEnvironment:
    return ImmutableSandboxedEnvironment(
        loader=loader,
        autoescape=escape,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def _check_name(name: str) -> None:
    if not _NAME.fullmatch(name):
        raise TemplateError(
            f"the template name {name[:80]!r} must be 1 to 63 lower-case letters, digits and _, "
            "and begin with a letter"
        )


def _paths(name: str, locale: str | None) -> list[str]:
    language, *rest = _SUBTAG.findall(locale or "")[:3] or [FALLBACK]
    tags = [language.lower(), *(tag.upper() if len(tag) == 2 else tag.title() for tag in rest)]  # noqa: PLR2004
    closest_first = ["-".join(tags[:length]) for length in range(len(tags), 0, -1)]
    return [f"{tag}/{name}.jinja" for tag in (*closest_first, FALLBACK)]


def _load(environment: ImmutableSandboxedEnvironment, paths: list[str]) -> Template:
    try:
        return environment.select_template(paths)
    except TemplatesNotFound as error:
        raise TemplateError(f"there is no template {paths[-1]}") from error
    except TemplateSyntaxError as error:
        raise TemplateError(f"{error.name}, line {error.lineno}: {error.message}") from error
    except UnicodeDecodeError as error:
        raise TemplateError(f"{' or '.join(paths)}: the file is not UTF-8 text") from error


def _block(template: Template, name: str, variables: Mapping[str, Any]) -> str:
    if name not in template.blocks:
        raise TemplateError(f"{template.name}: there is no block {name!r}")
    try:
        text = _bounded(template.blocks[name](template.new_context(dict(variables))))
    except Exception as error:
        raise TemplateError(_explain(template, error, variables)) from error
    return _CONTROL.sub("", text).strip()


def _bounded(chunks: Iterable[str]) -> str:
    parts, length = [], 0
    for chunk in chunks:
        parts.append(chunk)
        length += len(chunk)
        if length > MAX_PART:
            raise ValueError(f"it makes a text longer than {MAX_PART} characters")
    return "".join(parts)


def _explain(template: Template, error: Exception, variables: Mapping[str, Any]) -> str:
    lines = [
        line for frame, line in walk_tb(error.__traceback__) if _is_compiled_from(frame, template)
    ]
    if not lines:
        return f"{template.name}: {error}"
    line = template.get_corresponding_lineno(lines[-1])
    code = _source(template).splitlines()[line - 1].strip()
    absent = ", ".join(name for name, value in variables.items() if value is None)
    hint = f"; here is no {absent}" if absent and isinstance(error, UndefinedError) else ""
    return f"{template.name}, line {line}: {error} in `{code}`{hint}"


def _is_compiled_from(frame: FrameType, template: Template) -> bool:
    return frame.f_code.co_filename == template.filename


def _source(template: Template) -> str:
    return Path(str(template.filename)).read_text("utf-8")
