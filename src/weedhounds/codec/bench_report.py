"""A comparison as people and programs read it: rates with their spread, Pareto marks, the choice for each use."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import msgspec

from weedhounds.clock import Clock
from weedhounds.codec.base import Compression, Encodable, Format
from weedhounds.codec.bench import THOROUGH, Comparison, Effort, Refused, compare, ways
from weedhounds.codec.calibrate import LEVELS, machine
from weedhounds.codec.choose import (
    DEFAULT_LINK_BYTES_PER_S,
    Choice,
    Measured,
    Timing,
    Use,
    Way,
    cheapest,
    pareto,
    prices_of,
)
from weedhounds.codec.dictionary_store import SHIPPED, DictionaryStore

BASELINE = Way(Format.ORJSON, Compression.ZLIB, 6)
"""What most services send: orjson and deflate at its usual level (gzip is the same with 12 bytes more)."""

_RUNNERS_UP = 3


class Rate(msgspec.Struct, frozen=True):
    """Operations a second: the median of ``runs`` measurements, the least and the greatest."""

    per_s: float
    low_per_s: float
    high_per_s: float
    runs: int


class Row(msgspec.Struct, frozen=True):
    """One way: bytes of one record's envelope, and rates of one record.

    Args:
        of_baseline: bytes as a share of the baseline's; ``None`` where that was not measured.
        is_pareto: no other way is better in bytes, encoding and decoding at once.
    """

    format: Format
    compression: Compression
    level: int
    bytes: int
    of_baseline: float | None
    encode: Rate
    decode: Rate
    is_pareto: bool


class Chosen(msgspec.Struct, frozen=True):
    """The choice for a use: the way, its cost, what that is made of, and the next best, with their costs."""

    format: Format
    compression: Compression
    level: int
    cost_us: float
    bytes_us: float
    encode_us: float
    decode_us: float
    next_best: dict[str, float]


class TypeReport(msgspec.Struct, frozen=True, kw_only=True):
    """What the ways came to for records of one type; the smallest comes first."""

    type: str
    records: int
    size_bytes: int
    rows: tuple[Row, ...]
    choices: dict[Use, Chosen]
    refused: tuple[Refused, ...]


class BenchReport(msgspec.Struct, frozen=True, kw_only=True):
    """What a benchmark prints."""

    machine: tuple[str, ...]
    link_bytes_per_s: float
    cpu_price: float
    baseline: str
    types: tuple[TypeReport, ...]


class BenchOptions(msgspec.Struct, frozen=True, kw_only=True):
    """How to measure and what to choose by.

    Args:
        has_all_levels: measure every level worth a comparison, not only those of a calibration.
        link_bytes_per_s: of the link that the use ``wire`` is chosen for.
        cpu_price: what a second of processor costs in seconds of waiting.
    """

    effort: Effort = THOROUGH
    has_all_levels: bool = False
    link_bytes_per_s: float = DEFAULT_LINK_BYTES_PER_S
    cpu_price: float = 1.0


def report(
    sample: Mapping[str, Sequence[Encodable]],
    options: BenchOptions,
    *,
    clock: Clock,
    dictionaries: DictionaryStore = SHIPPED,
    progress: Callable[[int, int], None] | None = None,
) -> BenchReport:
    """Measure a sample of records by type.

    Args:
        progress: called with (ways done, ways in all), over all types.

    Raises:
        BadInput: nothing to measure, or a price that makes no sense.
    """
    for use in Use:
        prices_of(use, link_bytes_per_s=options.link_bytes_per_s)
    asked = tuple(ways(None if options.has_all_levels else LEVELS))
    types = []
    for n, records in enumerate(sample.values()):
        shown = None if progress is None else _shifted(progress, n * len(asked), len(sample) * len(asked))
        compared = compare(
            records, clock=clock, effort=options.effort, asked=asked, dictionaries=dictionaries, progress=shown
        )
        types.append(type_report(compared, options))
    return BenchReport(
        machine=machine(),
        link_bytes_per_s=options.link_bytes_per_s,
        cpu_price=options.cpu_price,
        baseline=str(BASELINE),
        types=tuple(types),
    )


def _shifted(progress: Callable[[int, int], None], before: int, known: int) -> Callable[[int, int], None]:
    return lambda done, _: progress(before + done, known)


def type_report(compared: Comparison, options: BenchOptions) -> TypeReport:
    """Return what a comparison says, with the choice for each use."""
    best = pareto(compared.figures)
    baseline = next((each.stored_bytes for each in compared.figures if each.way == BASELINE), None)
    figures = sorted(compared.figures, key=lambda each: (each.stored_bytes, each.way))
    return TypeReport(
        type=compared.type,
        records=compared.records,
        size_bytes=compared.size_bytes,
        rows=tuple(_row(each, baseline, is_pareto=each.way in best) for each in figures),
        choices={use: _chosen(_choice(figures, use, options)) for use in Use} if figures else {},
        refused=compared.refused,
    )


def _choice(figures: Sequence[Measured], use: Use, options: BenchOptions) -> Choice:
    prices = prices_of(use, link_bytes_per_s=options.link_bytes_per_s)
    return cheapest(figures, prices, cpu_price=options.cpu_price)


def _row(measured: Measured, baseline: int | None, *, is_pareto: bool) -> Row:
    return Row(
        measured.way.format,
        measured.way.compression,
        measured.way.level,
        measured.stored_bytes,
        None if baseline is None else round(measured.stored_bytes / baseline, 4),
        _rate(measured.encode),
        _rate(measured.decode),
        is_pareto,
    )


def _rate(timing: Timing) -> Rate:
    return Rate(_per_s(timing.median_s), _per_s(timing.high_s), _per_s(timing.low_s), timing.runs)


def _per_s(seconds: float) -> float:
    return round(1 / max(seconds, 1e-9), 1)


def _chosen(choice: Choice) -> Chosen:
    best, *others = choice.costs
    return Chosen(
        choice.format,
        choice.compression,
        choice.level,
        cost_us=_us(best.cost_s),
        bytes_us=_us(best.bytes_s),
        encode_us=_us(best.encode_s),
        decode_us=_us(best.decode_s),
        next_best={str(each.way): _us(each.cost_s) for each in others[:_RUNNERS_UP]},
    )


def _us(seconds: float) -> float:
    return round(seconds * 1e6, 3)
