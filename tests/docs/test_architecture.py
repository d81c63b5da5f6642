"""The page of the architecture shows the package as it is."""

from __future__ import annotations

from docpages import ROOT, page

PACKAGE = ROOT / "src" / "weedhounds"
PAGE = page("ARCHITECTURE.md")


def test_every_part_of_the_package_has_one_line_and_no_other_has() -> None:
    told = [row[0].strip("`").rstrip("/") for row in PAGE.rows(2) if row[0].startswith("`") and "tests" not in row[0]]
    parts = [p.name for p in PACKAGE.iterdir() if p.suffix == ".py" or (p / "__init__.py").is_file()]
    assert sorted(told) == sorted(set(parts) - {"__init__.py", "__main__.py"})


def test_every_folder_of_tests_has_one_line() -> None:
    told = {row[0].strip("`").removeprefix("tests/") for row in PAGE.rows(2) if row[0].startswith("`tests/")}
    folders = {p.name for p in (ROOT / "tests").iterdir() if p.is_dir() and p.name != "__pycache__"}
    assert told == folders


def test_every_module_named_in_the_flow_exists() -> None:
    flow = next(code for language, code in PAGE.blocks if language == "text")
    named = [
        word for line in flow.splitlines() for word in line.split()[:1] if word.endswith(".py") and "*" not in word
    ]
    assert named
    assert [name for name in named if not (PACKAGE / name).is_file()] == []
