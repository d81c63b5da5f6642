"""The tables of ``weedhounds ttl replay``: costs, details, calibration."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from weedhounds.cli.tables import Column, render_table
from weedhounds.cli.text import one_line
from weedhounds.sim.calibration import Calibration
from weedhounds.sim.judge import Figures, Verdict
from weedhounds.sim.report import Report

_MIDDLE = 1.0
"""The price whose details are shown."""


def report_text(report: Report, width: int | None) -> str:
    """Return the report as text."""
    return "\n".join([*_facts(report), "", *_blocks(report, width)])


def _facts(report: Report) -> Iterator[str]:
    trace = report.trace
    yield (
        f"{trace.requests:,} requests and {trace.changes:,} changes of {trace.keys:,} keys in {trace.days:.1f} days; "
        f"{trace.requests_counted:,} requests after {trace.warmup_days:g} days of warm-up count"
    )
    yield from trace.notes
    if trace.is_bounded:
        yield "lifetimes are kept within the limits of their data types"
    bound = report.clairvoyant
    yield (
        f"clairvoyant: {bound.calls_at_fixed_stale:,} calls leave as many stale serves as the fixed table's "
        f"{report.fixed.calls:,}; {bound.calls_for_no_stale_serve:,} leave none"
    )


def _blocks(report: Report, width: int | None) -> Iterator[str]:
    yield "Cost J = (price x calls + stale serves) / requests, and J / the oracle's\n" + _costs(report, width)
    yield f"At price {_middle(report):g}\n" + _details(report, width)
    calibrated = [verdict for verdict in report.verdicts if verdict.calibration]
    if calibrated:
        yield "Stale probability, told at every serve from a copy held\n" + _calibration(calibrated, width)
    for verdict in calibrated:
        assert verdict.calibration is not None
        yield f"Reliability of {one_line(verdict.name)}, all prices together\n" + _bins(verdict.calibration, width)


def _costs(report: Report, width: int | None) -> str:
    columns = [Column("policy")]
    columns += [Column(f"J at {price:g}", "right") for price in report.prices]
    columns += [Column(f"/oracle {price:g}", "right") for price in report.prices] if report.oracle else []
    columns += [
        Column("dial", "right", drop=3),
        Column("share of fixed calls", "right"),
        Column("stale at fixed calls", "right", drop=1),
        Column("calls/clairvoyant", "right", drop=2),
    ]
    rows = [_cost_row(report, verdict) for verdict in report.verdicts]
    if report.oracle:
        rows.append(_oracle_row(report, len(columns)))
    return render_table(columns, rows, width)


def _cost_row(report: Report, verdict: Verdict) -> list[str]:
    cells = [one_line(verdict.name), *(f"{each.total.j:.4f}" for each in verdict.by_price)]
    if report.oracle:
        cells += ["" if each.over_oracle is None else f"{each.over_oracle:.3f}" for each in verdict.by_price]
    dials = " ".join(f"{each.dial:.3g}" for each in verdict.by_price)
    over = verdict.by_price[_middle_at(report)].over_clairvoyant
    return [
        *cells,
        f"x {dials}" if verdict.dial == "multiplier" else "price" if verdict.dial == "price" else "",
        "" if verdict.calls_share is None else f"{verdict.calls_share:.3f}",
        "" if verdict.stale_at_calls is None else f"{verdict.stale_at_calls:.4f}",
        "" if over is None else f"{over:.2f}",
    ]


def _oracle_row(report: Report, cells: int) -> list[str]:
    known = {float(price): each for price, each in report.oracle.items()}
    costs = [f"{known[price].oracle_J:.4f}" if price in known else "" for price in report.prices]
    row = ["oracle", *costs, *("1" if cost else "" for cost in costs)]
    return row + [""] * (cells - len(row))


_DETAILS = (
    Column("policy"),
    Column("calls", "right"),
    Column("stale", "right"),
    Column("mean staleness age", "right"),
    Column("hit ratio", "right"),
    Column("useful calls", "right"),
)


def _details(report: Report, width: int | None) -> str:
    at = _middle_at(report)
    return render_table(
        _DETAILS, [_detail_row(verdict.name, verdict.by_price[at].total) for verdict in report.verdicts], width
    )


def _detail_row(name: str, figures: Figures) -> list[str]:
    return [
        one_line(name),
        f"{figures.calls:,}",
        f"{100 * figures.stale_fraction:.2f} %",
        f"{figures.mean_staleness_s:,.0f} s",
        f"{figures.hit_ratio:.3f}",
        f"{figures.useful_share:.3f}",
    ]


_CALIBRATION = (
    Column("policy"),
    Column("at", "right"),
    Column("serves", "right"),
    Column("calibration error", "right"),
    Column("Brier", "right"),
    Column("base rate's", "right"),
    Column("better by", "right"),
)


def _calibration(verdicts: Sequence[Verdict], width: int | None) -> str:
    rows = []
    for verdict in verdicts:
        judged = [(f"price {each.price:g}", each.calibration) for each in verdict.by_price]
        judged += [("all prices", verdict.calibration), *verdict.calibration_by_type.items()]
        rows += [[one_line(verdict.name), at, *_calibrated(found)] for at, found in judged if found is not None]
    return render_table(_CALIBRATION, rows, width)


def _calibrated(found: Calibration) -> list[str]:
    brier = (f"{found.brier:.4f}", f"{found.base_brier:.4f}")
    return [f"{found.serves:,}", f"{found.error:.4f}", *brier, f"{100 * found.skill:.1f} %"]


_BINS = (Column("told", "right"), Column("serves", "right"), Column("mean told", "right"), Column("stale", "right"))


def _bins(found: Calibration, width: int | None) -> str:
    rows = [
        [f"{each.low:.1f}-{each.high:.1f}", f"{each.serves:,}", f"{each.told:.3f}", f"{each.stale:.3f}"]
        for each in found.bins
    ]
    return render_table(_BINS, rows, width)


def _middle_at(report: Report) -> int:
    return report.prices.index(_middle(report))


def _middle(report: Report) -> float:
    return min(report.prices, key=lambda price: abs(price - _MIDDLE))
