"""Links of the docs lead somewhere: files, anchors and named paths exist."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from docpages import ROOT, Page, pages

PAGES = pages()
_NAMED = re.compile(r"(?<![\w./-])(?:docs|scripts|benchmarks|src/weedhounds|tests)/[\w./-]*[\w/]")
_SOURCES = ("*.py", "Makefile", "*.toml", "*.sh", "*.md")


def _broken(page: Page) -> list[str]:
    wrong = []
    for link in page.links:
        if re.match(r"[a-z][a-z0-9+.-]*:", link):
            continue
        file, _, anchor = link.partition("#")
        target = (page.path.parent / file).resolve() if file else page.path
        if not target.is_relative_to(ROOT) or not target.exists():
            wrong.append(f"{link}: no such file")
        elif anchor and anchor not in Page(target).anchors:
            wrong.append(f"{link}: no such heading")
    return wrong


def _files() -> list[Path]:
    folders = (ROOT / "src", ROOT / "tests", ROOT / "docs", ROOT / "scripts", ROOT / "benchmarks")
    deep = [path for folder in folders for path in folder.rglob("*") if path.suffix in (".py", ".md", ".sh", "")]
    top = [path for pattern in _SOURCES for path in ROOT.glob(pattern)]
    return sorted(path for path in {*deep, *top} if path.is_file())


def test_there_are_pages_to_check() -> None:
    assert {"README.md", "ARCHITECTURE.md", "CHANGELOG.md", "docs/index.md"} <= {page.name for page in PAGES}


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.name)
def test_every_relative_link_and_anchor_resolves(page: Page) -> None:
    assert _broken(page) == []


def test_every_page_under_docs_can_be_reached_from_the_index() -> None:
    known = {page.path: page for page in PAGES}
    reached, waiting = set(), [ROOT / "docs" / "index.md"]
    while waiting:
        path = waiting.pop()
        if path in reached or path not in known:
            continue
        reached.add(path)
        waiting += [(path.parent / link.partition("#")[0]).resolve() for link in known[path].links if ":" not in link]
    assert [page.name for page in PAGES if page.name.startswith("docs/") and page.path not in reached] == []


def test_every_path_named_in_docs_and_code_exists() -> None:
    missing = {
        f"{path.relative_to(ROOT)} names {named}"
        for path in _files()
        for named in _NAMED.findall(path.read_text(errors="replace"))
        if not (ROOT / named).exists()
    }
    assert sorted(missing) == []


def test_pages_have_one_title_and_no_trailing_blanks() -> None:
    untidy = [
        page.name
        for page in PAGES
        if sum(line.startswith("# ") for line in page.prose.splitlines()) != 1
        or any(line != line.rstrip() for line in page.text.splitlines())
    ]
    assert untidy == []
