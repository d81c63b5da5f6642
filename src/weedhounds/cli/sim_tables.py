"""The tables of ``weedhounds sim week``."""

from __future__ import annotations

from collections.abc import Iterator

from weedhounds.cli.tables import Column, render_table
from weedhounds.cli.text import counted, one_line, share, size
from weedhounds.sim.week_report import Row, TierRow, TypeRow, WeekReport


def week_text(report: WeekReport, width: int | None) -> str:
    """Return the report as text."""
    blocks = (
        "The node beside others, J = (price x calls + stale serves) / requests\n" + _comparison(report, width),
        "Requests by the tier that served them\n" + _tiers(report, width),
        "The node by data type\n" + _types(report, width),
    )
    return "\n".join([*_facts(report), "", *blocks])


def _facts(report: WeekReport) -> Iterator[str]:
    city = report.city
    yield (
        f"{one_line(city.city)} ({city.zone}), {counted(city.shops, 'shop')}, {sum(report.keys.values()):,} keys, "
        f"seed {city.seed}: {report.requests:,} requests in {counted(city.weeks, 'week')} "
        f"after {counted(city.warmup_weeks, 'week')} of warm-up"
    )
    yield (
        f"price of a call {report.price:g}; lifetimes are {'' if report.is_bounded else 'not '}kept within their types' "
        f"limits; {_modelled(report)}"
    )
    told = report.calibration
    yield (
        f"{counted(report.revalidated, 'request')} served an expired entry while it was fetched anew; "
        f"stale probability told: calibration error {told.error:.4f}, Brier {told.brier:.4f} "
        f"(base rate's {told.base_brier:.4f}) on {told.serves:,} answers"
    )


def _modelled(report: WeekReport) -> str:
    if report.has_price_lists:
        return "a shop's prices are one record, which the menu's call fills too"
    return "each product's price is a record of its own, and each record takes a call"


_COMPARED = (
    Column("who"),
    Column("calls", "right"),
    Column("of requests", "right"),
    Column("stale", "right"),
    Column("of requests", "right"),
    Column("J", "right"),
    Column("J/oracle", "right"),
    Column("hit ratio", "right", drop=2),
    Column("mean staleness age", "right", drop=1),
    Column("times", "right", drop=3),
)


def _comparison(report: WeekReport, width: int | None) -> str:
    return render_table(_COMPARED, [_compared(row) for row in report.rows], width)


def _compared(row: Row) -> list[str]:
    return [
        row.name,
        f"{row.calls:,}",
        f"{100 * row.calls_share:.2f} %",
        f"{row.stale:,}",
        f"{100 * row.stale_share:.2f} %",
        f"{row.j:.4f}",
        "" if row.over_oracle is None else f"{row.over_oracle:.3f}",
        f"{row.hit_ratio:.4f}",
        "" if row.mean_staleness_s is None else f"{row.mean_staleness_s:,.0f} s",
        "" if row.dial is None else f"x {row.dial:.3g}",
    ]


_TIERS = (
    Column("tier"),
    Column("asked", "right"),
    Column("served", "right"),
    Column("hit ratio", "right"),
    Column("entries", "right"),
    Column("bytes", "right"),
)


def _tiers(report: WeekReport, width: int | None) -> str:
    return render_table(_TIERS, [_tier(row) for row in report.tiers], width)


def _tier(row: TierRow) -> list[str]:
    return [
        row.tier,
        f"{row.asked:,}",
        f"{row.served:,}",
        "" if row.tier == "origin" else share(row.hit_ratio),
        "" if row.entries is None else f"{row.entries:,}",
        "" if row.bytes is None else size(row.bytes),
    ]


_TYPES = (
    Column("data type"),
    Column("keys", "right"),
    Column("requests", "right"),
    Column("calls", "right"),
    Column("stale", "right"),
    Column("J", "right"),
    Column("oracle's J", "right"),
)


def _types(report: WeekReport, width: int | None) -> str:
    return render_table(_TYPES, [_type(row) for row in report.by_type], width)


def _type(row: TypeRow) -> list[str]:
    return [
        row.data_type.value,
        f"{row.keys:,}",
        f"{row.requests:,}",
        f"{row.calls:,}",
        f"{row.stale:,}",
        f"{row.j:.4f}",
        "" if row.oracle_j is None else f"{row.oracle_j:.4f}",
    ]
