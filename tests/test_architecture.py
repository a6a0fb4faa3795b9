"""Paths, functions and links in the documentation exist, and the longest chain of calls is as documented."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.call_graph import ROOT, functions, longest_path

PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
LOCATION = re.compile(r"`([\w./-]+\.py)(?::([\w.]+))?`")
PATH = re.compile(r"`([\w.-]+(?:/[\w.-]+)*/?)`")
LINK = re.compile(r"\]\(([^)#:]+)(?:#([^)]*))?\)")
CHAIN = re.compile(r"^\d+\. `([\w/]+)\.py:([\w.]+)`", re.MULTILINE)
FOLDERS = {path.name for path in ROOT.iterdir() if path.is_dir()}
GENERATED = "benchmarks/out/"
MAX_CALLS = 12
CONVERT = "activities.referrals.ReferralActivities.convert"
SQL = "referrals.store.db.sql"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_locations_and_links_of_a_page_exist(page):
    text = page.read_text("utf-8")

    assert [*_missing_locations(text), *_missing_paths(text), *_missing_links(page, text)] == []


def test_the_longest_chain_of_calls_is_short_and_documented():
    text = (ROOT / "docs" / "architecture.md").read_text("utf-8")
    documented = [f"{path.replace('/', '.')}.{name}" for path, name in CHAIN.findall(text)]

    chain = longest_path(CONVERT, until=SQL)

    assert len(chain) - 1 <= MAX_CALLS
    assert documented == chain, "copy the chain to docs/architecture.md"


def _missing_locations(text: str) -> Iterator[str]:
    for path, name in LOCATION.findall(text):
        if "/" in path and not (ROOT / path).is_file():
            yield path
        elif name and not _defines(ROOT / path, name):
            yield f"{path}:{name}"


def _defines(file: Path, name: str) -> bool:
    tree = ast.parse(file.read_text("utf-8"))
    classes = (node.name for node in tree.body if isinstance(node, ast.ClassDef))
    return name in {*classes, *(function for function, _ in functions(tree))}


def _missing_paths(text: str) -> Iterator[str]:
    for path in PATH.findall(text):
        is_ours = path.partition("/")[0] in FOLDERS and "/" in path
        if is_ours and not path.startswith(GENERATED) and not (ROOT / path).exists():
            yield path


def _missing_links(page: Path, text: str) -> Iterator[str]:
    for target, anchor in LINK.findall(text):
        file = page.parent / target
        if not file.exists():
            yield target
        elif anchor and file.suffix == ".md" and anchor not in _anchors(file):
            yield f"{target}#{anchor}"


def _anchors(page: Path) -> set[str]:
    headings = re.findall(r"^#+ (.*)$", page.read_text("utf-8"), re.MULTILINE)
    return {
        re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-") for heading in headings
    }
