"""Links of all Markdown files lead somewhere, and the index of the docs names every page."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from urllib.parse import unquote

import pytest
from markdown_it import MarkdownIt
from markdown_it.token import Token

from docs.reference import anchor
from tests.data import ROOT

DOCS = ROOT / "docs"
FOLDERS = ("docs", "harness", "mechanisms", "tests", "benchmarks")
FILES = sorted(
    [*ROOT.glob("*.md"), *(it for name in FOLDERS for it in (ROOT / name).rglob("*.md"))]
)


def tokens(page: Path) -> list[Token]:
    return MarkdownIt().enable("table").parse(page.read_text())


def links(page: Path) -> Iterator[str]:
    for inline in tokens(page):
        for token in inline.children or ():
            if token.type in ("link_open", "image"):
                yield str(token.attrGet("href") or token.attrGet("src"))


@cache
def places(page: Path) -> set[str]:
    """Return the anchors of a page's headings; GitHub numbers those that are there already."""
    seen, found, before = Counter[str](), set(), ""
    for token in tokens(page):
        if before == "heading_open":
            said = "".join(it.content for it in token.children or ())
            name = anchor(said)
            found.add(f"{name}-{seen[name]}" if seen[name] else name)
            seen[name] += 1
        before = token.type
    return found


def broken(page: Path) -> list[str]:
    return [link for link in links(page) if "://" not in link and not leads_somewhere(page, link)]


def leads_somewhere(page: Path, link: str) -> bool:
    name, _, place = link.partition("#")
    target = page.parent / unquote(name) if name else page
    return target.exists() and (not place or place in places(target))


@pytest.mark.parametrize("page", FILES, ids=lambda it: it.relative_to(ROOT).as_posix())
def test_links_lead_somewhere(page: Path) -> None:
    assert broken(page) == []


def test_the_index_names_every_page() -> None:
    index = DOCS / "README.md"
    named = {(DOCS / link).resolve() for link in links(index) if "://" not in link}
    assert {page for page in FILES if DOCS in page.parents} - {index} <= named


def test_links_that_lead_nowhere_are_noticed(tmp_path: Path) -> None:
    (tmp_path / "other.md").write_text("# The `other_one`, again\n\n# The other_one again\n")
    good = "[a](other.md#the-other_one-again-1) [b](#here) [c](https://example.org/#x) `[d](e.md)`"
    bad = "[f](other.md#another) [g](#there) ![h](figure.svg)\n\n| [i](j.md) |\n| --- |"
    page = tmp_path / "page.md"
    page.write_text(f"# Here\n\n{good} {bad}\n")
    assert broken(page) == ["other.md#another", "#there", "figure.svg", "j.md"]
