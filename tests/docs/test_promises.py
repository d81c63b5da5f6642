"""The page of promises is whole and honest: every row once, with a state, and proof where it says so."""

from __future__ import annotations

import re
from collections import Counter

import pytest
from docpages import ROOT, page

COUNTS = {"A": 11, "B": 6, "C": 5, "D": 6, "E": 7, "F": 6, "G": 5, "H": 5, "I": 3, "J": 4, "K": 9, "L": 9, "M": 13}
"""Rows of each section of the description."""
IDS = [f"{section}{number}" for section, count in COUNTS.items() for number in range(1, count + 1)]
STATES = ("proven", "partly", "open")
CONTRADICTIONS = (
    "7 test types",
    "1 hour to 1 year",
    "4 tasks",
    "none",
    "5+ sources",
    "machine learning",
    "unlimited",
    "line counts",
    "Missing in it but necessary",
)
COLUMNS = 5
PAGE = page("docs/promises.md")
ROWS = [row for row in PAGE.rows(COLUMNS) if re.fullmatch(r"[A-Z]\d+", row[0])]


def test_every_promise_stands_there_once_in_order() -> None:
    assert [row[0] for row in ROWS] == IDS


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[0])
def test_a_promise_has_a_check_and_one_of_three_states(row: list[str]) -> None:
    _, promise, check, state, evidence = row
    assert promise
    assert check
    assert state in STATES
    assert evidence, "say what proves it, what is missing, or where it is to come from"


def test_a_proven_promise_names_its_command_and_a_figure() -> None:
    proven = [(row[0], row[4]) for row in ROWS if row[3] == "proven"]
    assert [name for name, evidence in proven if not re.search(r"`[^`]+`", evidence)] == [], "no command in backticks"
    assert [name for name, evidence in proven if not re.search(r"\d", re.sub(r"`[^`]+`", "", evidence))] == [], (
        "no figure"
    )


def test_a_promise_kept_in_part_says_what_is_missing() -> None:
    assert [row[0] for row in ROWS if row[3] == "partly" and "missing:" not in row[4].lower()] == []


def test_every_test_file_named_as_proof_exists() -> None:
    named = {
        word
        for row in ROWS
        for span in re.findall(r"`([^`]+)`", row[4])
        for word in span.split()
        if word.startswith("tests/")
    }
    assert sorted(name for name in named if not (ROOT / name.partition("::")[0]).exists()) == []


def test_the_summary_counts_the_rows() -> None:
    states = Counter(row[3] for row in ROWS)
    told = {m[2]: int(m[1]) for m in re.finditer(r"\b(\d+) (proven|partly|open)\b", PAGE.prose)}
    assert told == {state: states[state] for state in STATES}


@pytest.mark.parametrize("name", CONTRADICTIONS)
def test_every_contradiction_of_the_description_is_settled(name: str) -> None:
    settled = PAGE.text.partition("## Contradictions")[2]
    assert name.lower() in settled.lower()
