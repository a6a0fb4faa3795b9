"""All links of the documentation lead somewhere, and docs/README.md leads to every page."""

import re
from pathlib import Path

import pytest

from tests.call_graph import ROOT
from tests.docs.pages import PAGES, anchors, links


def resolve(page: Path, link: str) -> tuple[Path, str]:
    """Return the file and the anchor of a link within the repository."""
    path, _, anchor = link.partition("#")
    target = (ROOT / page).parent / path if path else ROOT / page
    return target.resolve().relative_to(ROOT), anchor


def inner_links(page: Path) -> list[str]:
    return [link for link in links(page) if not re.match(r"[a-z]+:", link)]


@pytest.mark.parametrize("page", PAGES, ids=str)
def test_every_link_leads_to_a_file_and_a_heading(page):
    broken = []
    for link in inner_links(page):
        target, anchor = resolve(page, link)
        if not (ROOT / target).exists() or (anchor and anchor not in anchors(target)):
            broken.append(link)

    assert broken == []


def test_the_index_lists_every_page():
    index = Path("docs/README.md")
    listed = {resolve(index, link)[0] for link in inner_links(index)}
    pages = {page for page in PAGES if page.parent == Path("docs")} - {index}

    assert pages - listed == set()
