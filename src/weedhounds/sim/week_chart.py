"""A city's week as a chart: the node among its rivals, the clairvoyant's curve below. Pure, plain SVG."""

from __future__ import annotations

from collections.abc import Sequence

from weedhounds.sim.bounds import Clairvoyant
from weedhounds.sim.chart import chart
from weedhounds.sim.judge import AtPrice, Figures, Verdict, figures_of
from weedhounds.sim.references import PriceReference
from weedhounds.sim.replay import Tally
from weedhounds.sim.report import Bound, Report, TraceSummary
from weedhounds.sim.week_node import NodeOutcome
from weedhounds.sim.week_report import NODE, WeekReport
from weedhounds.sim.week_rivals import FIXED, ORACLE, Rival

_CURVE_POINTS = 40
_SHOWN = 2.0
"""Points with more stale serves than so many times the node's, and the fixed table's, are left out."""


def week_chart(report: WeekReport, outcome: NodeOutcome, rivals: Sequence[Rival], bound: Clairvoyant) -> str:
    """Return calls against stale serves as an SVG document: the node, its rivals, the clairvoyant's curve."""
    price = report.price
    fixed = next(rival for rival in rivals if rival.name == FIXED)
    most = _SHOWN * max(outcome.total.stale, fixed.total.stale)
    verdicts = [_verdict(NODE, price, [outcome.total])]
    for rival in rivals:
        points = [Tally(requests=report.requests, calls=c, stale=s) for c, s in rival.curve if s <= most]
        if points or rival is fixed:
            verdicts.append(_verdict(rival.name, price, points or [rival.total]))
    return chart(
        Report(
            trace=_summary(report),
            prices=(price,),
            fixed=figures_of(fixed.total, price),
            clairvoyant=_bound(bound, fixed.total),
            oracle=_oracle_point(report, fixed.total),
            verdicts=tuple(verdicts),
        )
    )


def _verdict(name: str, price: float, points: Sequence[Tally]) -> Verdict:
    each = tuple(_at_price(figures_of(total, price), price) for total in points)
    return Verdict(
        name=name,
        dial="none",
        by_price=each,
        calls_share=None,
        stale_at_calls=None,
        calibration=None,
        calibration_by_type={},
    )


def _at_price(figures: Figures, price: float) -> AtPrice:
    return AtPrice(
        price=price,
        dial=1.0,
        total=figures,
        over_oracle=None,
        over_clairvoyant=None,
        by_type={},
        calibration=None,
    )


def _oracle_point(report: WeekReport, fixed: Tally) -> dict[str, PriceReference]:
    row = next((row for row in report.rows if row.name == ORACLE), None)
    if row is None:
        return {}
    return {f"{report.price:g}": PriceReference(row.j, row.calls, row.stale_share, fixed.cost(report.price))}


def _summary(report: WeekReport) -> TraceSummary:
    return TraceSummary(
        keys=sum(report.keys.values()),
        changes=report.changes,
        requests=report.requests,
        requests_counted=report.requests,
        days=float(report.city.days),
        warmup_days=report.city.warmup_days,
        is_bounded=report.is_bounded,
        notes=(),
    )


def _bound(bound: Clairvoyant, fixed: Tally) -> Bound:
    requests, most = max(1, fixed.requests), bound.calls_for_no_stale_serve
    calls = sorted({round(most ** (i / _CURVE_POINTS)) for i in range(_CURVE_POINTS + 1)}) if most else [0]
    return Bound(
        calls_at_fixed_stale=bound.calls_at(fixed.stale),
        calls_for_no_stale_serve=most,
        stale_fraction_at_fixed_calls=bound.stale_at(fixed.calls) / requests,
        curve=tuple((count, bound.stale_at(count) / requests) for count in calls),
    )
