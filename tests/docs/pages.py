"""The documentation's pages, with their headings, links and fenced blocks."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from tests.call_graph import ROOT

_FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)
_LINK = re.compile(r"(?<!\\)\]\(([^)\s]+)\)|<(https?://[^>\s]+)>")
_CODE = re.compile(r"`[^`\n]+`")

PAGES = sorted(
    path.relative_to(ROOT)
    for path in [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("examples/**/*.md")]
)


@dataclass(frozen=True)
class Block:
    """A fenced block of a page, with the line on which its text starts."""

    page: Path
    language: str
    text: str
    line: int

    def __str__(self) -> str:
        return f"{self.page}:{self.line}"


@cache
def text_of(page: Path) -> str:
    return (ROOT / page).read_text("utf-8")


def prose_of(page: Path) -> str:
    """Return a page without its fenced blocks."""
    return _FENCE.sub("", text_of(page))


def blocks(*languages: str) -> list[Block]:
    """List the fenced blocks in these languages."""
    return [
        Block(page, found[1], found[2], text_of(page).count("\n", 0, found.start(2)) + 1)
        for page in PAGES
        for found in _FENCE.finditer(text_of(page))
        if found[1] in languages
    ]


def links(page: Path) -> Iterator[str]:
    """Yield the targets of the page's links."""
    for found in _LINK.finditer(_CODE.sub("", prose_of(page))):
        yield found[1] or found[2]


def code_in(page: Path) -> Iterator[str]:
    """Yield the page's inline code."""
    for found in _CODE.finditer(prose_of(page)):
        yield found[0].strip("`")


@cache
def anchors(page: Path) -> frozenset[str]:
    """Return the anchors of the page's headings, as GitHub makes them."""
    found: list[str] = []
    for heading in _HEADING.findall(prose_of(page)):
        words = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading.strip())
        anchor = re.sub(r"[^\w -]", "", words.lower()).replace(" ", "-")
        repeated = found.count(anchor)
        found.append(anchor)
        if repeated:
            found.append(f"{anchor}-{repeated}")
    return frozenset(found)
