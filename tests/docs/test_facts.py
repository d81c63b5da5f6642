"""Figures, settings and names that the docs state are those of the code."""

from __future__ import annotations

import re
from importlib import import_module

import pytest
from docpages import ROOT, Page, page, pages
from pydantic import BaseModel

from weedhounds import sources
from weedhounds.config import OriginSettings, Settings
from weedhounds.model.datatypes import LIFETIMES, DataType

UNITS = {"min": 60.0, "h": 3600.0, "d": 86400.0}
SIZES = {"": 1, "KiB": 2**10, "MiB": 2**20, "GiB": 2**30}
BOUNDS = [row for row in page("docs/limits.md").rows(3) if "`" in row[2]]
DOTTED = re.compile(r"(server|cache|history|database|fetch|hunt|clock|log|origins)(\.\w+)+")
METHODS = re.compile(r"weedhounds(\.\w+)+")


def _seconds(text: str) -> float:
    number, unit = text.split()
    return float(number) * UNITS[unit]


def test_the_table_of_lifetimes_is_the_codes() -> None:
    rows = [row for row in page("docs/concepts.md").rows(4) if row[0].startswith("`")]
    told = {row[0].strip("`"): tuple(map(_seconds, row[1:])) for row in rows}
    assert told == {t.value: (LIFETIMES[t].base_s, LIFETIMES[t].min_s, LIFETIMES[t].max_s) for t in DataType}


@pytest.mark.parametrize("row", BOUNDS, ids=lambda row: row[0])
def test_a_bound_is_the_codes(row: list[str]) -> None:
    number, _, unit = row[1].partition(" ")
    is_setting = row[2].startswith("setting ")
    name = row[2].removeprefix("setting ").strip("`")
    assert int(number) * SIZES[unit] == (_default(name) if is_setting else resolve(name))


def _default(name: str) -> object:
    value: object = Settings()
    for part in name.split("."):
        value = getattr(value, part)
    return value


def resolve(dotted: str) -> object:
    """Return the module, class or constant that a dotted name means; raise where there is none."""
    parts = dotted.split(".")
    for cut in range(len(parts), 0, -1):
        try:
            found: object = import_module(".".join(parts[:cut]))
        except ModuleNotFoundError:
            continue
        for part in parts[cut:]:
            found = getattr(found, part)
        return found
    raise LookupError(dotted)


def _is_setting(dotted: str) -> bool:
    first, *rest = dotted.split(".")
    model: type[BaseModel] = Settings
    if first == "origins":
        return len(rest) < 2 or (rest[1] in OriginSettings.model_fields)
    for part in (first, *rest):
        field = model.model_fields.get(part)
        if field is None:
            return False
        kind = field.annotation
        model = kind if isinstance(kind, type) and issubclass(kind, BaseModel) else BaseModel
    return True


@pytest.mark.parametrize("each", pages(), ids=lambda p: p.name)
def test_every_setting_named_in_a_code_span_exists(each: Page) -> None:
    named = [span.split("=")[0].strip() for span in each.spans]
    wrong = [name for name in named if DOTTED.fullmatch(name) and not _is_setting(name) and not _is_file(name)]
    assert wrong == []


def _is_file(name: str) -> bool:
    return name.endswith((".py", ".md", ".json", ".csv"))


@pytest.mark.parametrize("each", pages(), ids=lambda p: p.name)
def test_every_dotted_name_of_the_package_exists(each: Page) -> None:
    wrong = []
    for name in {span for span in each.spans if METHODS.fullmatch(span) and not _is_file(span)}:
        if name in ("weedhounds.toml", "weedhounds.sqlite3"):
            continue
        try:
            resolve(name)
        except (LookupError, AttributeError):
            wrong.append(name)
    assert wrong == []


def _calls_per_s(text: str) -> float:
    per = re.fullmatch(r"(?:then )?(\d+) calls? (?:in (\d+) s|a second|an hour)", text)
    assert per, text
    return int(per[1]) / (int(per[2]) if per[2] else 3600 if "hour" in text else 1)


@pytest.mark.parametrize("origin", sources.ORIGINS)
def test_the_page_of_live_origins_states_their_share_scope_and_budget(origin: str) -> None:
    live = sources.source_class(origin).info().live
    row = next(row for row in page("docs/live.md").rows(5) if row[0] == f"`{origin}`")
    burst, rate = row[4].split(", ")
    assert row[3] == live.terms.share.value
    assert burst == f"burst {live.budget.burst}"
    assert _calls_per_s(rate) == pytest.approx(live.budget.rate_per_s)


def test_the_reasons_explained_for_what_is_missing_are_those_that_the_code_gives() -> None:
    rows = page("docs/why/why-is-something-missing.md").rows(3)
    reasons = [reason for row in rows for reason in re.findall(r"`([^`]+)`", row[0])]
    code = "".join(path.read_text() for path in (ROOT / "src").rglob("*.py"))
    assert len(reasons) > 8
    assert [reason for reason in reasons if reason not in code] == []
