"""A report as a chart: calls against stale serves, every policy a line through its prices. Pure, plain SVG."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from html import escape

from weedhounds.sim.judge import Verdict
from weedhounds.sim.report import Report

_WIDTH, _HEIGHT = 900, 520
_LEFT, _RIGHT, _TOP, _BOTTOM = 70, 230, 46, 56
_COLOURS = (
    "#1b6e3c",
    "#b3541e",
    "#3d5fa8",
    "#8a3f8f",
    "#6b6b00",
    "#00777a",
    "#a8324a",
    "#555555",
    "#9a7b1a",
    "#4b8f29",
)
_DASHES = ("", "6 3", "2 3")
_NAME = 26
"""Most letters of a name that fit beside the chart."""
_TEXT, _GRID, _BOUND = "#222222", "#dddddd", "#999999"

Point = tuple[float, float]


def chart(report: Report) -> str:
    """Return the chart as an SVG document.

    Across: calls / those of the fixed table, logarithmic. Up: stale serves / requests, as a root,
    so that small fractions can be told apart. Nearer to the lower left corner is better.
    """
    lines = [(verdict.name, _points(report, verdict)) for verdict in report.verdicts]
    if report.oracle:
        lines.append(("oracle", _oracle_points(report)))
    shown = [point for _, points in lines for point in points] + [(1.0, report.fixed.stale_fraction)]
    top = max(stale for _, stale in shown)
    curve = ((calls / max(1, report.fixed.calls), stale) for calls, stale in report.clairvoyant.curve if calls)
    bound = [point for point in curve if point[1] <= 1.2 * top]
    scale = _Scale([*shown, *bound])
    parts = [*_frame(scale), *_line(scale, bound, _BOUND, "4 4")]
    for i, (name, points) in enumerate(lines):
        colour, dash = _COLOURS[i % len(_COLOURS)], _DASHES[i // len(_COLOURS) % len(_DASHES)]
        parts += _line(scale, points, colour, dash)
        parts += _dots(scale, name, points, colour)
        parts += _entry(i, name, colour, dash)
    parts += _entry(len(lines), "clairvoyant (out of reach)", _BOUND, "4 4")
    body = "\n".join(parts)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" '
        f'font-family="sans-serif" font-size="12" fill="{_TEXT}">\n'
        f'<rect width="{_WIDTH}" height="{_HEIGHT}" fill="#ffffff"/>\n{body}\n</svg>\n'
    )


class _Scale:
    """From calls and stale fractions to places on the sheet."""

    def __init__(self, points: Sequence[Point]) -> None:
        calls = [x for x, _ in points if x > 0.0] or [1.0]
        self.low = math.floor(math.log10(min(calls)) * 2.0) / 2.0
        self.high = max(self.low + 0.5, math.ceil(math.log10(max(calls)) * 2.0) / 2.0)
        self.top = max(0.01, *(y for _, y in points))

    def at(self, point: Point) -> Point:
        x = (math.log10(max(point[0], 10.0**self.low)) - self.low) / (self.high - self.low)
        y = math.sqrt(max(0.0, point[1]) / self.top)
        return _LEFT + x * (_WIDTH - _LEFT - _RIGHT), _HEIGHT - _BOTTOM - y * (_HEIGHT - _TOP - _BOTTOM)


def _points(report: Report, verdict: Verdict) -> list[Point]:
    places = {(p.total.calls / max(1, report.fixed.calls), p.total.stale_fraction) for p in verdict.by_price}
    return sorted(places)


def _oracle_points(report: Report) -> list[Point]:
    fixed = max(1, report.fixed.calls)
    return sorted((each.oracle_calls / fixed, each.oracle_stale_fraction) for each in report.oracle.values())


def _frame(scale: _Scale) -> Iterator[str]:
    yield f'<text x="{_LEFT}" y="24" font-size="15">Calls to the origins against stale serves</text>'
    for share in (0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0):
        if scale.low <= math.log10(share) <= scale.high:
            x = scale.at((share, 0.0))[0]
            yield _rule(x, _TOP, x, _HEIGHT - _BOTTOM)
            yield f'<text x="{x:.1f}" y="{_HEIGHT - _BOTTOM + 18}" text-anchor="middle">{share:g}</text>'
    for stale in (0.0, 0.005, 0.02, 0.05, 0.1, 0.2, 0.4, 0.8):
        if stale <= scale.top:
            y = scale.at((1.0, stale))[1]
            yield _rule(_LEFT, y, _WIDTH - _RIGHT, y)
            yield f'<text x="{_LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">{100 * stale:g} %</text>'
    middle = (_LEFT + _WIDTH - _RIGHT) / 2
    yield f'<text x="{middle}" y="{_HEIGHT - 14}" text-anchor="middle">calls / calls of the fixed table</text>'
    yield f'<text transform="translate(18 {_HEIGHT / 2}) rotate(-90)" text-anchor="middle">stale serves</text>'


def _rule(x0: float, y0: float, x1: float, y1: float) -> str:
    return f'<line x1="{x0:.1f}" y1="{y0:.1f}" x2="{x1:.1f}" y2="{y1:.1f}" stroke="{_GRID}"/>'


def _line(scale: _Scale, points: Sequence[Point], colour: str, dash: str) -> Iterator[str]:
    places = " ".join("{:.1f},{:.1f}".format(*scale.at(point)) for point in points)
    yield f'<polyline points="{places}" fill="none" stroke="{colour}" stroke-width="2" stroke-dasharray="{dash}"/>'


def _dots(scale: _Scale, name: str, points: Sequence[Point], colour: str) -> Iterator[str]:
    for point in points:
        x, y = scale.at(point)
        told = f"{_short(name)}: {point[0]:.3f} of the calls, {100 * point[1]:.2f} % stale"
        yield f'<circle cx="{x:.1f}" cy="{y:.1f}" r="4" fill="{colour}"><title>{escape(told)}</title></circle>'


def _entry(row: int, name: str, colour: str, dash: str) -> Iterator[str]:
    x, y = _WIDTH - _RIGHT + 18, _TOP + 8 + 20 * row
    yield f'<line x1="{x}" y1="{y}" x2="{x + 22}" y2="{y}" stroke="{colour}" stroke-width="2" stroke-dasharray="{dash}"/>'
    yield f'<text x="{x + 30}" y="{y + 4}">{escape(_short(name))}</text>'


def _short(name: str) -> str:
    clean = "".join(c if c.isprintable() else "?" for c in name)
    return clean if len(clean) <= _NAME else "…" + clean[1 - _NAME :]
