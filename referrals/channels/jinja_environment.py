"""Jinja at work on the files of messages: loading, rendering a part within bounds, and saying where a mistake is."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from traceback import walk_tb
from typing import Any

from jinja2 import StrictUndefined, Template, meta, nodes
from jinja2.exceptions import TemplatesNotFound, TemplateSyntaxError, UndefinedError
from jinja2.sandbox import ImmutableSandboxedEnvironment

from referrals.channels.front_matter import Loader
from referrals.channels.localisation import FILTERS, in_words, without_control
from referrals.channels.template_context import EXAMPLE_CONTEXT

MAX_PART = 100_000
"""Characters of a text or html part; a longer one is an error (mail clients cut a message near 100 kB)."""

Environment = ImmutableSandboxedEnvironment
_ADDED = {"locale", "part"}


class TemplateError(Exception):
    """A template is missing or wrong; the sentence names the file (`en/milestone.jinja`) and, if known, the line."""

    def __init__(self, problem: str, file: str | None = None, line: int | None = None) -> None:
        place = f"{file}, line {line}" if line else file
        super().__init__(f"{place}: {problem}" if place else problem)
        self.problem = problem
        self.file = file
        self.line = line


def environment(loader: Loader, *, escape: bool) -> Environment:
    made = Environment(
        loader=loader,
        autoescape=escape,
        undefined=StrictUndefined,
        finalize=in_words,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters.update(FILTERS)
    return made


def load(env: Environment, paths: list[str]) -> Template:
    """The first of the templates that is there."""
    try:
        return env.select_template(paths)
    except TemplatesNotFound as error:
        raise TemplateError(f"there is no template {paths[-1]}") from error
    except TemplateSyntaxError as error:
        raise TemplateError(str(error.message), error.name, error.lineno) from error
    except UnicodeDecodeError as error:
        raise TemplateError("the file is not UTF-8 text", " or ".join(paths)) from error


def block(template: Template, name: str, variables: Mapping[str, Any]) -> str:
    """One block of the file itself, whatever it extends."""
    if name not in template.blocks:
        raise TemplateError(f"there is no block {name!r}", template.name)
    return _made(template, template.blocks[name], variables)


def whole(template: Template, variables: Mapping[str, Any]) -> str:
    """What the file and those that it extends make together."""
    return _made(template, template.root_render_func, variables)


def line_of(template: Template, name: str) -> int:
    """Where the block begins."""
    code = getattr(template.blocks[name], "__code__")  # noqa: B009 - its type hides it
    return template.get_corresponding_lineno(code.co_firstlineno)


def source(env: Environment, path: str) -> str:
    """The Jinja of a file, line by line as it stands there."""
    assert env.loader is not None
    return env.loader.get_source(env, str(load(env, [path]).name))[0]


def check_variables(env: Environment, path: str) -> None:
    """Find unknown variables in the branches that no example reaches, too."""
    tree = env.parse(source(env, path))
    known = EXAMPLE_CONTEXT.keys() | _ADDED | _macros(env, tree)
    unknown = meta.find_undeclared_variables(tree) - known
    for node in tree.find_all(nodes.Name):
        if node.name in unknown:
            problem = f"there is no variable {node.name!r}, only {', '.join(EXAMPLE_CONTEXT)}"
            raise TemplateError(problem, path, node.lineno)


def variables_in(env: Environment, path: str) -> set[str]:
    """What a file says about whom: `advocate.code`, `due_at`, …"""
    tree = env.parse(source(env, path))
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
            parent = env.parse(source(env, str(node.template.value)))
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
    return without_control(text).strip()


def _bounded(chunks: Iterable[str]) -> str:
    parts, length = [], 0
    for chunk in chunks:
        parts.append(chunk)
        length += len(chunk)
        if length > MAX_PART:
            raise ValueError(f"it makes a text longer than {MAX_PART} characters")
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
