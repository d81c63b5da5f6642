"""The Markdown pages of the project, taken apart: text, anchors, links, code blocks. No Markdown library needed."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parent.parent.parent

_FENCE = re.compile(r"(?P<indent> *)(?P<marks>```+|~~~+)\s*(?P<language>[\w+-]*)")
_HEADING = re.compile(r"#{1,6}\s+(.*?)\s*#*$")
_SPAN = re.compile(r"(?<!`)(`+)(?!`)(.+?)(?<!`)\1(?!`)", re.DOTALL)
_LINK = re.compile(r"\]\(\s*<?([^)\s>]+)>?(?:\s+\"[^\"]*\")?\s*\)")
_REFERENCE = re.compile(r"^\s{0,3}\[[^\]]+\]:\s*<?(\S+?)>?(?:\s|$)", re.MULTILINE)
_HTML_TARGET = re.compile(r"<(?:img|a|source)\b[^>]*?\b(?:src|href|srcset)=\"([^\"]+)\"")
_HTML_ANCHOR = re.compile(r"<a\b[^>]*?\b(?:id|name)=\"([^\"]+)\"")
_LINK_TEXT = re.compile(r"!?\[([^\]]*)\]\([^)]*\)")
_NO_SLUG = re.compile(r"[^\w\- ]")


class Page:
    """One Markdown page."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.name = str(path.relative_to(ROOT))
        self.text = path.read_text()

    @cached_property
    def blocks(self) -> list[tuple[str, str]]:
        """Return the fenced code blocks: language and code."""
        return [(language, code) for language, code in self._parts if language is not None]

    @cached_property
    def prose(self) -> str:
        """Return the text outside of fenced code blocks."""
        return "\n".join(text for language, text in self._parts if language is None)

    @cached_property
    def spans(self) -> list[str]:
        """Return the inline code spans, line breaks made spaces."""
        return [" ".join(m[2].split()) for m in _SPAN.finditer(self.prose)]

    @cached_property
    def links(self) -> list[str]:
        """Return the targets of all links and pictures."""
        prose = _SPAN.sub("", self.prose)
        return [m[1] for pattern in (_LINK, _REFERENCE, _HTML_TARGET) for m in pattern.finditer(prose)]

    @cached_property
    def headings(self) -> list[str]:
        """Return the headings as written."""
        return [m[1] for line in self.prose.splitlines() if (m := _HEADING.match(line))]

    @cached_property
    def anchors(self) -> frozenset[str]:
        """Return the names that ``#...`` may point to: headings as GitHub slugs them, and explicit ones."""
        seen: Counter[str] = Counter()
        found = set(_HTML_ANCHOR.findall(self.prose))
        for heading in self.headings:
            slug = slug_of(heading)
            found.add(f"{slug}-{seen[slug]}" if seen[slug] else slug)
            seen[slug] += 1
        return frozenset(found)

    def rows(self, columns: int) -> list[list[str]]:
        """Return the cells of every table row with that many columns, heads and rules included."""
        lines = (line.strip() for line in self.prose.splitlines())
        cells = [
            [c.strip() for c in line[1:-1].split("|")] for line in lines if line.startswith("|") and line.endswith("|")
        ]
        return [row for row in cells if len(row) == columns]

    @cached_property
    def _parts(self) -> list[tuple[str | None, str]]:
        parts: list[tuple[str | None, str]] = []
        language: str | None = None
        marks, lines = "", list[str]()
        for line in self.text.splitlines():
            fence = _FENCE.match(line)
            opens = fence is not None and language is None
            closes = (
                fence is not None
                and language is not None
                and fence["marks"].startswith(marks)
                and not fence["language"]
            )
            if not opens and not closes:
                lines.append(line)
                continue
            parts.append((language, "\n".join(lines)))
            lines = []
            language, marks = (fence["language"], fence["marks"]) if opens and fence else (None, "")
        return [*parts, (language, "\n".join(lines))]


def slug_of(heading: str) -> str:
    """Return the anchor that GitHub gives a heading."""
    plain = _LINK_TEXT.sub(r"\1", heading).replace("`", "").replace("*", "")
    return _NO_SLUG.sub("", plain.strip().lower()).replace(" ", "-")


def pages() -> list[Page]:
    """Return all pages of the project, in order of their names."""
    found = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "tests" / "golden").rglob("*.md")]
    return [Page(path) for path in sorted(found)]


def page(name: str) -> Page:
    """Return the page at a path relative to the project's folder."""
    return Page(ROOT / name)


class Shown(NamedTuple):
    """A command line in the docs; ``is_mention`` where it stands in a sentence and may leave things out."""

    page: str
    line: str
    is_mention: bool


def commands(program: str) -> Iterator[Shown]:
    """Yield every call of ``program`` shown in a code block or a code span.

    A prompt, a path to the virtual environment and settings before the program are dropped;
    what follows a pipe, a redirection or ``&&`` too. Lines that end in a backslash are joined.
    """
    start = re.compile(rf"(?:\$ |sudo )?(?:[A-Z_]+=\S+ )*(?:\.venv/bin/)?({program}(?: .*)?$)")
    for each in pages():
        blocks = [code for language, code in each.blocks if language in ("sh", "bash", "console", "shell")]
        lines = [(line, False) for code in blocks for line in code.replace("\\\n", " ").splitlines()]
        for line, is_mention in (*lines, *((span, True) for span in each.spans)):
            found = start.fullmatch(line.strip())
            if found:
                yield Shown(each.name, re.split(r"\s(?:\||>|&&|2>|&$)", found[1])[0], is_mention)
