"""Jinja for message templates: sandboxed environments, bounded rendering of blocks, and errors with file and line."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from traceback import walk_tb
from typing import Any

from jinja2 import StrictUndefined, Template, meta, nodes
from jinja2.exceptions import TemplatesNotFound, TemplateSyntaxError, UndefinedError
from jinja2.sandbox import ImmutableSandboxedEnvironment

from referrals.channels.errors import TemplateError
from referrals.channels.localisation import FILTERS, format_value, strip_control_characters
from referrals.channels.template_context import EXAMPLE_CONTEXT
from referrals.channels.template_loader import FrontMatterError, TemplateLoader
from referrals.domain.suggestions import did_you_mean
from referrals.domain.syntax_messages import describe_jinja_error
from referrals.errors import ReferralsError

MAX_PART_LENGTH = 100_000
"""Characters of a text or HTML part; a longer one is an error (mail clients clip a message near 100 kB)."""


class TextTooLongError(ReferralsError):
    """Part of a message above the limit."""


Environment = ImmutableSandboxedEnvironment
_BUILTIN_VARIABLES = {"locale", "part"}


def create_environment(loader: TemplateLoader, *, escape: bool) -> Environment:
    environment = Environment(
        loader=loader,
        autoescape=escape,
        undefined=StrictUndefined,
        finalize=format_value,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(FILTERS)
    return environment


def load_template(env: Environment, paths: list[str]) -> Template:
    """Return the first template of `paths` that exists. Raises TemplateError."""
    try:
        return env.select_template(paths)
    except TemplatesNotFound as error:
        raise TemplateError(_no_template(paths[-1], env.list_templates())) from error
    except TemplateSyntaxError as error:
        raise _syntax_error(error) from error
    except UnicodeDecodeError as error:
        raise TemplateError("the file is not UTF-8 text", " or ".join(paths)) from error


def _no_template(path: str, known: list[str]) -> str:
    """Say that the template does not exist, with the most similar name in its folder."""
    folder, _, name = path.rpartition("/")
    beside = [each.rpartition("/") for each in known]
    names = [file.removesuffix(".jinja") for parent, _, file in beside if parent == folder]
    hint = did_you_mean(name.removesuffix(".jinja"), names)
    return f"there is no template {path}{hint}"


def render_block(template: Template, name: str, variables: Mapping[str, Any]) -> str:
    """Render one block that the file itself defines, without its layout."""
    if name not in template.blocks:
        raise TemplateError(f"there is no block {name!r}", template.name)
    return _render(template, template.blocks[name], variables)


def render_with_layout(template: Template, variables: Mapping[str, Any]) -> str:
    return _render(template, template.root_render_func, variables)


def block_line(template: Template, name: str) -> int:
    """Return the line on which the block begins."""
    code = getattr(template.blocks[name], "__code__")  # noqa: B009 - its type hides it
    return template.get_corresponding_lineno(code.co_firstlineno)


def read_source(env: Environment, path: str) -> str:
    """Return the Jinja source of a file, with the line numbers of the file on disk."""
    assert env.loader is not None
    return env.loader.get_source(env, str(load_template(env, [path]).name))[0]


def check_variables(env: Environment, path: str) -> None:
    """Raise TemplateError for an unknown variable, also in branches that no example reaches."""
    tree = env.parse(read_source(env, path))
    known = EXAMPLE_CONTEXT.keys() | _BUILTIN_VARIABLES | _inherited_macros(env, tree)
    unknown = meta.find_undeclared_variables(tree) - known
    for node in tree.find_all(nodes.Name):
        if node.name in unknown:
            problem = f"there is no variable {node.name!r}, only {', '.join(EXAMPLE_CONTEXT)}"
            raise TemplateError(problem, path, node.lineno)


def referenced_variables(env: Environment, path: str) -> set[str]:
    """Return the context variables that a file uses: `advocate.code`, `due_at`, …"""
    tree = env.parse(read_source(env, path))
    attributes = {
        f"{node.node.name}.{node.attr}"
        for node in tree.find_all(nodes.Getattr)
        if isinstance(node.node, nodes.Name)
    }
    names = attributes | {node.name for node in tree.find_all(nodes.Name)}
    return {name for name in names if name.partition(".")[0] in EXAMPLE_CONTEXT}


def _inherited_macros(env: Environment, tree: nodes.Template) -> set[str]:
    """Return the macros of the layouts that a file extends; its blocks can call them."""
    names: set[str] = set()
    for node in tree.find_all(nodes.Extends):
        if isinstance(node.template, nodes.Const):
            parent = env.parse(read_source(env, str(node.template.value)))
            names |= {macro.name for macro in parent.find_all(nodes.Macro)}
            names |= _inherited_macros(env, parent)
    return names


def _render(template: Template, render: Any, variables: Mapping[str, Any]) -> str:
    try:
        text = _join_bounded(render(template.new_context(dict(variables))))
    except TemplateError:  # raised by `_reward.jinja`, which has a location of its own
        raise
    except TemplateSyntaxError as error:
        raise _syntax_error(error) from error
    except Exception as error:
        raise _locate(template, error, variables) from error
    return strip_control_characters(text).strip()


def _syntax_error(error: TemplateSyntaxError) -> TemplateError:
    own = isinstance(error, FrontMatterError)
    problem = str(error.message) if own else describe_jinja_error(error.message)
    return TemplateError(problem, error.name, error.lineno)


def _describe(error: Exception) -> str:
    """Return our own message of an error, or our words for that of the library."""
    return str(error) if isinstance(error, ReferralsError) else describe_jinja_error(str(error))


def _join_bounded(chunks: Iterable[str]) -> str:
    parts, length = [], 0
    for chunk in chunks:
        parts.append(chunk)
        length += len(chunk)
        if length > MAX_PART_LENGTH:
            raise TextTooLongError(f"the text is longer than {MAX_PART_LENGTH} characters")
    return "".join(parts)


def _locate(template: Template, error: Exception, variables: Mapping[str, Any]) -> TemplateError:
    """Return the error with a line of the message's own file if possible, else of its layout."""
    frames = [
        (frame.f_globals["__jinja_template__"], line)
        for frame, line in walk_tb(error.__traceback__)
        if frame.f_code.co_filename
        == getattr(frame.f_globals.get("__jinja_template__"), "filename", "")
    ]
    problem = _describe(error)
    if not frames:
        return TemplateError(problem, template.name)
    own = [frame for frame in frames if frame[0].filename == template.filename]
    found, python_line = own[-1] if own else frames[-1]
    line = found.get_corresponding_lineno(python_line)
    code = Path(str(found.filename)).read_text("utf-8").splitlines()[line - 1].strip()
    missing = ", ".join(name for name, value in variables.items() if value is None)
    hint = ""
    if missing and isinstance(error, UndefinedError):
        hint = f"; not available here: {missing}"
    return TemplateError(f"{problem} in `{code}`{hint}", found.name, line)
