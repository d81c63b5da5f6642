"""Measure formats and compressions on given records: bytes, and seconds to encode and to decode.

What is timed is the whole way that the node takes: record to envelope and back, checksum and
limits included. A measurement repeats the operation until it fills a fraction of a millisecond;
several make the spread. Every way is first checked to give back the same record.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

import msgspec

from weedhounds.clock import Clock
from weedhounds.codec.base import Compression, Encodable, Format, payload_codec
from weedhounds.codec.choose import Measured, SizedFigures, Timing, Way
from weedhounds.codec.compress import LEVELS, why_unavailable
from weedhounds.codec.dictionary import Dictionary
from weedhounds.codec.dictionary_store import SHIPPED, DictionaryStore
from weedhounds.codec.encoding import decode, encode
from weedhounds.codec.envelope import open_envelope
from weedhounds.codec.kinds import kind_of
from weedhounds.errors import BadInput, CodecError, Corrupt, UnknownVersion

_LEAST_SAMPLE_S = 2e-4
"""A measurement lasts at least this long, so that the clock's grain is below a thousandth of it."""


class Effort(msgspec.Struct, frozen=True):
    """How long to measure each operation of each way: until ``budget_s``, but within these numbers of runs."""

    budget_s: float
    least_runs: int
    most_runs: int


THOROUGH = Effort(budget_s=0.04, least_runs=5, most_runs=25)
QUICK = Effort(budget_s=0.002, least_runs=2, most_runs=5)


class Refused(msgspec.Struct, frozen=True):
    """A way that was not measured, and why; ``compression`` is ``any`` where the format itself is the reason."""

    format: Format
    compression: str
    why: str


class Comparison(msgspec.Struct, frozen=True, kw_only=True):
    """The figures of all ways for a sample of records of one type; bytes and seconds are means of one record.

    Args:
        type: tag of the records (``menu``, ``product``).
        records: how many there are.
        size_bytes: mean length of their MessagePack.
        refused: what was not measured, and why.
    """

    type: str
    records: int
    size_bytes: int
    figures: tuple[Measured, ...]
    refused: tuple[Refused, ...] = ()

    @property
    def sized(self) -> SizedFigures:
        """Return the figures with the size that they hold for."""
        return SizedFigures(self.size_bytes, self.figures)


def levels_tried(compression: Compression) -> tuple[int, ...]:
    """Return the levels of a compression that are worth a comparison."""
    return LEVELS[Compression.ZSTD if compression is Compression.ZSTD_DICT else compression].tried


def ways(levels: Mapping[Compression, Sequence[int]] | None = None) -> Iterator[Way]:
    """Yield every format with every compression, at the levels worth a comparison unless others are given."""
    for format_ in Format:
        for compression in Compression:
            tried = levels_tried(compression) if levels is None else levels.get(compression, ())
            yield from (Way(format_, compression, level) for level in tried)


def compare(
    records: Sequence[Encodable],
    *,
    clock: Clock,
    effort: Effort = THOROUGH,
    asked: Iterable[Way] | None = None,
    dictionaries: DictionaryStore = SHIPPED,
    progress: Callable[[int, int], None] | None = None,
) -> Comparison:
    """Measure ways to encode records of one type.

    Args:
        records: one or more, of one type.
        asked: the ways to measure; all unless given.
        dictionaries: for zstd with a dictionary; the shipped ones unless given.
        progress: called with (ways done, ways in all).

    Raises:
        BadInput: no records, or of several types.
    """
    types = {type(record) for record in records}
    if len(types) != 1:
        raise BadInput("a comparison needs records of one type")
    to_measure = list(ways() if asked is None else asked)
    figures: list[Measured] = []
    refused: dict[Refused, None] = {}
    for done, way in enumerate(to_measure):
        if progress:
            progress(done, len(to_measure))
        reason = _unavailable(way)
        try:
            if reason is None:
                figures.append(measure(records, way, clock=clock, effort=effort, dictionaries=dictionaries))
        except (CodecError, BadInput) as error:
            reason = Refused(way.format, way.compression.value, error.message)
        if reason is not None:
            refused[reason] = None
    if progress:
        progress(len(to_measure), len(to_measure))
    return Comparison(
        type=str(next(iter(types)).__struct_config__.tag),
        records=len(records),
        size_bytes=packed_bytes(records),
        figures=tuple(figures),
        refused=tuple(refused),
    )


def packed_bytes(records: Sequence[Encodable]) -> int:
    """Return the mean length of records as MessagePack: the size that choices go by."""
    return round(sum(len(msgspec.msgpack.encode(record)) for record in records) / len(records))


def _unavailable(way: Way) -> Refused | None:
    try:
        payload_codec(way.format)
    except UnknownVersion as error:
        return Refused(way.format, "any", error.message)
    why = why_unavailable(way.compression)
    return None if why is None else Refused(way.format, way.compression.value, why)


def measure(
    records: Sequence[Encodable], way: Way, *, clock: Clock, effort: Effort, dictionaries: DictionaryStore
) -> Measured:
    """Measure one way.

    Raises:
        Corrupt: the format cannot hold a record exactly, or did not give it back.
        BadInput: there is no dictionary for the records, or compression gains nothing.
        UnknownVersion: format or compression is not available here.
    """
    dictionary = _dictionary(records, way, dictionaries)

    def encoded(record: Encodable) -> bytes:
        return encode(record, way.format, way.compression, level=_level(way), dictionary=dictionary)

    bodies = [encoded(record) for record in records]
    if all(open_envelope(body).compression is not way.compression for body in bodies):
        raise BadInput("stored as it is: compression makes it no smaller")
    for record, body in zip(records, bodies, strict=True):
        if decode(body, dictionaries=dictionaries) != record:
            raise Corrupt("another record came back")
    return Measured(
        way=way,
        stored_bytes=round(sum(map(len, bodies)) / len(bodies)),
        encode=_timed(lambda: [encoded(record) for record in records], len(records), clock, effort),
        decode=_timed(
            lambda: [decode(body, dictionaries=dictionaries) for body in bodies], len(records), clock, effort
        ),
    )


def _level(way: Way) -> int | None:
    return None if way.compression is Compression.NONE else way.level


def _dictionary(records: Sequence[Encodable], way: Way, dictionaries: DictionaryStore) -> Dictionary | None:
    if way.compression is not Compression.ZSTD_DICT:
        return None
    kind = kind_of(records[0])
    found = dictionaries.newest(kind, way.format)
    if found is None:
        raise BadInput(f"no dictionary for {kind} in this format")
    return found


def _timed(work: Callable[[], object], records: int, clock: Clock, effort: Effort) -> Timing:
    """Return the seconds that ``work`` takes for one of the records."""
    first_s = _seconds(work, 1, clock)
    repeats = max(1, round(_LEAST_SAMPLE_S / max(first_s, 1e-7)))
    samples: list[float] = [] if repeats > 1 else [first_s]
    spent_s = sum(samples)
    while len(samples) < effort.most_runs and (len(samples) < effort.least_runs or spent_s < effort.budget_s):
        taken_s = _seconds(work, repeats, clock)
        samples.append(taken_s / repeats)
        spent_s += taken_s
    samples = sorted(sample / records for sample in samples)
    return Timing(samples[0], samples[(len(samples) - 1) // 2], samples[-1], len(samples))


def _seconds(work: Callable[[], object], repeats: int, clock: Clock) -> float:
    started_s = clock.monotonic()
    for _ in range(repeats):
        work()
    return clock.monotonic() - started_s
