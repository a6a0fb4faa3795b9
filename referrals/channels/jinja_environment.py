"""Jinja at work on the files of messages: loading, rendering a part within bounds, and saying where a mistake is."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from traceback import walk_tb
from typing import Any

from jinja2 import StrictUndefined, Template, meta, nodes
from jinja2.exceptions import TemplatesNotFound, TemplateSyntaxError, UndefinedError
from jinja2.sandbox import ImmutableSandboxedEnvironment

from referrals.channels.errors import TemplateError
from referrals.channels.front_matter import TemplateLoader
from referrals.channels.localisation import FILTERS, format_value, strip_control_characters
from referrals.channels.template_context import EXAMPLE_CONTEXT

MAX_PART_LENGTH = 100_000
"""Characters of a text or html part; a longer one is an error (mail clients cut a message near 100 kB)."""

Environment = ImmutableSandboxedEnvironment
_ADDED = {"locale", "part"}


def create_environment(loader: TemplateLoader, *, escape: bool) -> Environment:
    made = Environment(
        loader=loader,
        autoescape=escape,
        undefined=StrictUndefined,
        finalize=format_value,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters.update(FILTERS)
    return made


def load_template(env: Environment, paths: list[str]) -> Template:
    """The first of the templates that is there."""
    try:
        return env.select_template(paths)
    except TemplatesNotFound as error:
        raise TemplateError(f"there is no template {paths[-1]}") from error
    except TemplateSyntaxError as error:
        raise TemplateError(str(error.message), error.name, error.lineno) from error
    except UnicodeDecodeError as error:
        raise TemplateError("the file is not UTF-8 text", " or ".join(paths)) from error


def render_block(template: Template, name: str, variables: Mapping[str, Any]) -> str:
    """One block of the file itself, whatever it extends."""
    if name not in template.blocks:
        raise TemplateError(f"there is no block {name!r}", template.name)
    return _made(template, template.blocks[name], variables)


def render_with_layout(template: Template, variables: Mapping[str, Any]) -> str:
    """What the file and those that it extends make together."""
    return _made(template, template.root_render_func, variables)


def block_line(template: Template, name: str) -> int:
    """Where the block begins."""
    code = getattr(template.blocks[name], "__code__")  # noqa: B009 - its type hides it
    return template.get_corresponding_lineno(code.co_firstlineno)


def read_source(env: Environment, path: str) -> str:
    """The Jinja of a file, line by line as it stands there."""
    assert env.loader is not None
    return env.loader.get_source(env, str(load_template(env, [path]).name))[0]


def check_variables(env: Environment, path: str) -> None:
    """Find unknown variables in the branches that no example reaches, too."""
    tree = env.parse(read_source(env, path))
    known = EXAMPLE_CONTEXT.keys() | _ADDED | _macros(env, tree)
    unknown = meta.find_undeclared_variables(tree) - known
    for node in tree.find_all(nodes.Name):
        if node.name in unknown:
            problem = f"there is no variable {node.name!r}, only {', '.join(EXAMPLE_CONTEXT)}"
            raise TemplateError(problem, path, node.lineno)


def referenced_variables(env: Environment, path: str) -> set[str]:
    """What a file says about whom: `advocate.code`, `due_at`, …"""
    tree = env.parse(read_source(env, path))
    attributes = {
        f"{node.node.name}.{node.attr}"
        for node in tree.find_all(nodes.Getattr)
        if isinstance(node.node, nodes.Name)
    }
    told = attributes | {node.name for node in tree.find_all(nodes.Name)}
    return {name for name in told if name.partition(".")[0] in EXAMPLE_CONTEXT}


def _macros(env: Environment, tree: nodes.Template) -> set[str]:
    """The macros of what a file extends, which its blocks can call."""
    names: set[str] = set()
    for node in tree.find_all(nodes.Extends):
        if isinstance(node.template, nodes.Const):
            parent = env.parse(read_source(env, str(node.template.value)))
            names |= {macro.name for macro in parent.find_all(nodes.Macro)} | _macros(env, parent)
    return names


def _made(template: Template, render: Any, variables: Mapping[str, Any]) -> str:
    try:
        text = _bounded(render(template.new_context(dict(variables))))
    except TemplateError:  # of words that it asked for, which have a file of their own
        raise
    except TemplateSyntaxError as error:
        raise TemplateError(str(error.message), error.name, error.lineno) from error
    except Exception as error:
        raise _explained(template, error, variables) from error
    return strip_control_characters(text).strip()


def _bounded(chunks: Iterable[str]) -> str:
    parts, length = [], 0
    for chunk in chunks:
        parts.append(chunk)
        length += len(chunk)
        if length > MAX_PART_LENGTH:
            raise ValueError(f"it makes a text longer than {MAX_PART_LENGTH} characters")
    return "".join(parts)


def _explained(template: Template, error: Exception, variables: Mapping[str, Any]) -> TemplateError:
    """In the line of the message's own file, or else of the file that it extends."""
    steps = [
        (frame.f_globals["__jinja_template__"], line)
        for frame, line in walk_tb(error.__traceback__)
        if frame.f_code.co_filename
        == getattr(frame.f_globals.get("__jinja_template__"), "filename", "")
    ]
    if not steps:
        return TemplateError(str(error), template.name)
    own = [step for step in steps if step[0].filename == template.filename]
    found, python_line = own[-1] if own else steps[-1]
    line = found.get_corresponding_lineno(python_line)
    code = Path(str(found.filename)).read_text("utf-8").splitlines()[line - 1].strip()
    absent = ", ".join(name for name, value in variables.items() if value is None)
    hint = f"; here is no {absent}" if absent and isinstance(error, UndefinedError) else ""
    return TemplateError(f"{error} in `{code}`{hint}", found.name, line)
