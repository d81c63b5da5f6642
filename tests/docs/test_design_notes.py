"""Design notes keep their form, and the note on dependencies agrees with what is installed."""

from __future__ import annotations

import re
import tomllib
from importlib.metadata import files, metadata

import pytest
from docpages import ROOT, Page, page, pages

NOTES = [each for each in pages() if re.fullmatch(r"docs/design/\d{4}-[a-z0-9-]+\.md", each.name)]
MAX_WORDS = 900
"""About two printed pages."""
DEPENDENCIES = {row[0]: row[2] for row in page("docs/design/0012-dependencies.md").rows(4) if row[0].islower()}
DEPENDENCIES.pop("package")
DEPENDENCIES = {name: licence for name, licence in DEPENDENCIES.items() if not name.startswith("-")}


def test_notes_are_numbered_without_gaps_and_listed() -> None:
    assert [int(note.path.name[:4]) for note in NOTES] == list(range(1, len(NOTES) + 1))
    assert [note.path.name for note in NOTES] == [
        link for link in page("docs/design/README.md").links if link[0] == "0"
    ]


@pytest.mark.parametrize("note", NOTES, ids=lambda n: n.path.name)
def test_a_note_has_context_decision_alternatives_consequences_in_two_pages(note: Page) -> None:
    number = note.path.name[:4]
    assert note.headings[0].startswith(f"{number}: ")
    sections = [
        heading for heading in note.headings if heading in ("Context", "Decision", "Alternatives", "Consequences")
    ]
    assert sections == ["Context", "Decision", "Alternatives", "Consequences"]
    assert len(note.text.replace("|", " ").split()) <= MAX_WORDS


def test_every_declared_dependency_has_its_row_and_no_other_has() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    declared = [*project["dependencies"], *(d for extra in project["optional-dependencies"].values() for d in extra)]
    assert sorted({re.split(r"[<>=!~\[; ]", line)[0] for line in declared}) == sorted(DEPENDENCIES)


@pytest.mark.parametrize("name", sorted(DEPENDENCIES))
def test_the_licence_told_is_the_one_that_the_package_states(name: str) -> None:
    found = metadata(name)
    classifiers = [text for text in found.get_all("Classifier") or [] if text.startswith("License")]
    texts = [found[field][:400] for field in ("License-Expression", "License") if field in found]
    stated = " ".join([*texts, *classifiers]) or _of_its_text(name)
    for licence in re.split(r" (?:AND|OR) ", DEPENDENCIES[name]):
        family, _, version = licence.replace("Apache-2.0", "Apache").partition("-")
        assert family in stated, f"{licence} is not in {stated!r:.200}"
        assert version.split("-")[0] in stated


def _of_its_text(name: str) -> str:
    """Return the licence of a package that states none in its metadata, by the text that it ships."""
    text = next(file.read_text() for file in files(name) or () if file.name.startswith("LICENSE"))
    is_bsd = "Redistribution and use in source and binary forms" in text and "Neither the name" in text
    return "BSD-3-Clause" if is_bsd else text[:400]
