"""The language of the code: no private vocabulary in names, docstrings that stand alone, short functions and files."""

import ast
import re
from collections.abc import Iterator

import pytest

from tests.call_graph import ROOT

MAX_FUNCTION_LINES = 40
MAX_FILE_LINES = 350
FOLDERS = (
    "activities",
    "benchmarks",
    "entrypoints",
    "inbox",
    "referrals",
    "simulation",
    "tests",
    "workflows",
)
GENERATED = "migrations/versions"

PRIVATE_WORDS = re.compile(
    r"(^|_)(scene|scenes|met|meet|told|tell|teller|kept|keeping|settle|settled|settles|settlement|settling"
    r"|taken_back|take_back|place_at|park|parked|parking|uncalled|rehearse|entrant|hear|hears|heard|anybody"
    r"|deed|lane|lanes|patience|promise|promises|promised|brief|at_work|keep_loaded|unclear|paces|standing)(_|$)",
    re.IGNORECASE,
)
DEPENDENT_START = re.compile(
    r"(what|whether|where|it|its|of|the same|who|whom|whose|as|by|how|these|those|this|that|there|such|so|to be"
    r"|once|until|because|but|and|or|if|unless|also|only|nothing|nobody|somebody|whatever|whoever)\b",
    re.IGNORECASE,
)
"""Beginnings of sentences that need another sentence to be understood."""

FILES = sorted(
    path.relative_to(ROOT)
    for folder in FOLDERS
    for path in (ROOT / folder).rglob("*.py")
    if GENERATED not in str(path) and "out" not in path.relative_to(ROOT).parts
)


@pytest.mark.parametrize("file", FILES, ids=str)
def test_names_and_docstrings_are_plain(file):
    tree = ast.parse((ROOT / file).read_text("utf-8"))
    private = {name for name in _defined_names(tree) if PRIVATE_WORDS.search(name)}
    dependent = [text for text in _docstrings(tree) if DEPENDENT_START.match(text.strip('`" '))]

    assert (private, dependent) == (set(), [])


@pytest.mark.parametrize("file", FILES, ids=str)
def test_functions_and_files_are_short(file):
    source = (ROOT / file).read_text("utf-8")
    long = [
        node.name
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and (node.end_lineno or 0) - node.lineno >= MAX_FUNCTION_LINES
    ]

    assert (long, source.count("\n") <= MAX_FILE_LINES) == ([], True)


def _defined_names(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        match node:
            case (
                ast.FunctionDef(name=name)
                | ast.AsyncFunctionDef(name=name)
                | ast.ClassDef(name=name)
            ):
                yield name
            case ast.arg(arg=name) | ast.Name(id=name, ctx=ast.Store()):
                yield name


def _docstrings(tree: ast.Module) -> Iterator[str]:
    documented = ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef
    for node in ast.walk(tree):
        if isinstance(node, documented) and (text := ast.get_docstring(node)):
            yield text
        elif isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            yield str(node.value.value)  # of a constant or a field
