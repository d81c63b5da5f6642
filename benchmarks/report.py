"""What a benchmark came to: figures with target and spread, tables, raw numbers; as text and as Markdown. Pure."""

from __future__ import annotations

import math
import re
import statistics
from collections.abc import Iterable, Sequence

import msgspec

_TAG = re.compile(r"<(?=[A-Za-z/!])")


class Figure(msgspec.Struct, frozen=True, kw_only=True):
    """One figure. ``is_met`` is ``None`` where there is no target: it is told, not judged."""

    name: str
    value: float
    unit: str = ""
    spread: str = ""
    target: str = ""
    is_met: bool | None = None


class Table(msgspec.Struct, frozen=True, kw_only=True):
    """Rows behind the figures; cells are text already."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


class Result(msgspec.Struct, kw_only=True):
    """What one benchmark came to.

    Args:
        command: that makes these figures again.
        notes: what a reader must know to judge the figures.
        samples: the raw numbers, by name; the name ends in their unit.
        error: why there is nothing else here, in one line.
        commit, measured: what was measured, and when.
    """

    title: str
    command: str
    figures: list[Figure] = []
    tables: list[Table] = []
    notes: list[str] = []
    samples: dict[str, list[float]] = {}
    error: str | None = None
    took_s: float = 0.0
    commit: str = ""
    measured: str = ""


def under(name: str, value: float, limit: float, unit: str = "", *, spread: str = "") -> Figure:
    """Return a figure that must stay below ``limit``."""
    return _judged(name, value, unit, f"< {number(limit)}", value < limit, spread)


def at_most(name: str, value: float, limit: float, unit: str = "", *, spread: str = "") -> Figure:
    """Return a figure that may be ``limit`` at most."""
    return _judged(name, value, unit, f"<= {number(limit)}", value <= limit, spread)


def at_least(name: str, value: float, limit: float, unit: str = "", *, spread: str = "") -> Figure:
    """Return a figure that must reach ``limit``."""
    return _judged(name, value, unit, f">= {number(limit)}", value >= limit, spread)


def exactly(name: str, value: float, wanted: float, unit: str = "", *, spread: str = "") -> Figure:
    """Return a figure that must be ``wanted``."""
    return _judged(name, value, unit, f"= {number(wanted)}", value == wanted, spread)


def told(name: str, value: float, unit: str = "", *, spread: str = "") -> Figure:
    """Return a figure without a target."""
    return Figure(name=name, value=float(value), unit=unit, spread=spread)


def _judged(name: str, value: float, unit: str, target: str, is_met: bool, spread: str) -> Figure:
    stated = f"{target} {unit}".rstrip()
    return Figure(name=name, value=float(value), unit=unit, spread=spread, target=stated, is_met=is_met)


def quantile(values: Iterable[float], share: float) -> float:
    """Return the nearest-rank quantile: a value that was measured. Of few values, p99 is the greatest.

    Example:
        >>> quantile([3, 1, 2], 0.5), quantile(range(1, 201), 0.99), quantile(range(20), 0.99)
        (2, 198, 19)
    """
    ordered = sorted(values)
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]


def median(values: Iterable[float]) -> float:
    """Return the median; between the two middle values of an even number."""
    return statistics.median(values)


def spread_of(values: Sequence[float]) -> str:
    """Return least and greatest of the values and how many there are."""
    return f"{number(min(values))} to {number(max(values))}, n = {len(values)}"


def number(value: float) -> str:
    """Return a number with three digits, or all of them where it is whole or large.

    Example:
        >>> number(0.12345), number(12), number(1234.5), number(2.0)
        ('0.123', '12', '1,234', '2')
    """
    if value == int(value) or abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.3g}"


def as_text(result: Result) -> str:
    """Return the result for a terminal."""
    lines = [result.title, f"  {result.command}"]
    if result.error:
        return "\n".join([*lines, f"  FAILED: {result.error}", ""])
    lines += _grid(_COLUMNS, [_cells(figure) for figure in result.figures])
    for table in result.tables:
        lines += ["", f"  {table.title}", *_grid(table.columns, table.rows)]
    lines += ["", *(f"  - {note}" for note in result.notes)] if result.notes else []
    return "\n".join([*lines, f"  took {result.took_s:.0f} s", ""])


def as_markdown(result: Result) -> str:
    """Return the result as a section of a page."""
    when = f", {result.measured}, commit {result.commit}" if result.commit else ""
    lines = [f"## {result.title}", "", f"`{result.command}` (took {result.took_s:.0f} s{when})", ""]
    if result.error:
        return "\n".join([*lines, f"**Failed:** {_escaped(result.error)}", ""])
    lines += _rows(_COLUMNS, [_cells(figure) for figure in result.figures])
    for table in result.tables:
        lines += ["", f"{table.title}:", "", *_rows(table.columns, table.rows)]
    lines += ["", *(f"- {_escaped(note)}" for note in result.notes)] if result.notes else []
    return "\n".join([*lines, ""])


_COLUMNS = ("figure", "target", "value", "spread", "verdict")


def _cells(figure: Figure) -> tuple[str, ...]:
    verdict = "" if figure.is_met is None else "met" if figure.is_met else "**missed**"
    return figure.name, figure.target, f"{number(figure.value)} {figure.unit}".rstrip(), figure.spread, verdict


def _grid(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(len(row[i]) for row in (columns, *rows)) for i in range(len(columns))]
    return ["  " + "  ".join(c.ljust(w) for c, w in zip(row, widths, strict=True)).rstrip() for row in (columns, *rows)]


def _rows(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    return [_row(columns), _row(["---"] * len(columns)), *(_row([_escaped(c) for c in row]) for row in rows)]


def _row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def _escaped(text: str) -> str:
    return _TAG.sub("&lt;", " ".join(text.split()).replace("|", "\\|"))
