"""What ``weedhounds codec`` shows a person."""

from __future__ import annotations

from typing import TYPE_CHECKING

from weedhounds.cli.tables import Column, render_table
from weedhounds.cli.text import one_line

if TYPE_CHECKING:
    from weedhounds.codec.bench_report import BenchReport, Rate, TypeReport

_COLUMNS = (
    Column("format"),
    Column("compression"),
    Column("level", "right", drop=3),
    Column("bytes", "right"),
    Column("of baseline", "right", drop=1),
    Column("encode/s", "right"),
    Column("spread", "right", drop=2),
    Column("decode/s", "right"),
    Column("spread", "right", drop=2),
    Column("best"),
)


def bench_text(report: BenchReport, width: int | None) -> str:
    """Return a benchmark as tables, one for each type of record, smallest first."""
    parts = [_type_text(each, report, width) for each in report.types]
    notes = (
        f"Rates are of one record, the median with the least and greatest measured. best: no other way beats it in "
        f"bytes, encoding and decoding at once. of baseline: bytes as a share of {report.baseline}'s.\n"
        f"Choices: link of {report.link_bytes_per_s:,.0f} bytes/s, processor price {report.cpu_price:g}; "
        f"measured on {', '.join(report.machine[1:4])}.\n"
    )
    return "\n".join([*parts, notes])


def _type_text(each: TypeReport, report: BenchReport, width: int | None) -> str:
    title = f"{each.type}: {each.records:,} measured, {each.size_bytes:,} bytes of MessagePack on average\n"
    rows = [
        (
            row.format.value,
            row.compression.value,
            str(row.level or ""),
            f"{row.bytes:,}",
            "" if row.of_baseline is None else f"{row.of_baseline:.0%}",
            f"{row.encode.per_s:,.0f}",
            _spread(row.encode),
            f"{row.decode.per_s:,.0f}",
            _spread(row.decode),
            "*" if row.is_pareto else "",
        )
        for row in each.rows
    ]
    text = title + (render_table(_COLUMNS, rows, width) if rows else "nothing could be measured\n")
    for use, chosen in each.choices.items():
        way = f"{chosen.format}+{chosen.compression}" + (f":{chosen.level}" if chosen.level else "")
        others = ", ".join(f"{name} {cost:,.0f}" for name, cost in chosen.next_best.items())
        text += (
            f"choice for {use.value:<4}  {way}: {chosen.cost_us:,.0f} us (bytes {chosen.bytes_us:,.0f}, "
            f"encode {chosen.encode_us:,.0f}, decode {chosen.decode_us:,.0f}); next {others}\n"
        )
    return text + "".join(f"not measured: {line}\n" for line in _refused_lines(each))


def _refused_lines(each: TypeReport) -> list[str]:
    """Return one line for each reason, with the ways that it kept from being measured."""
    ways: dict[str, list[str]] = {}
    for item in each.refused:
        ways.setdefault(one_line(item.why), []).append(f"{item.format.value}+{item.compression}")
    return [f"{why}: {', '.join(named)}" for why, named in ways.items()]


def _spread(rate: Rate) -> str:
    return f"{rate.low_per_s:,.0f}-{rate.high_per_s:,.0f}"
