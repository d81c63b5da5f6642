"""Which format and compression are cheapest, by a cost model over measured figures. Pure.

The cost of storing or sending one record, in seconds::

    cost = bytes x byte_price_s + cpu_price x (encode_s + reads x decode_s)

``byte_price_s`` is what a byte costs where it goes: on a link, one over its speed; in memory and
on disk, the prices below. ``reads`` is how often the bytes are decoded for each time that they are
encoded. ``cpu_price`` is what a second of processor costs in seconds of waiting: above 1 where
cores are scarce. The choice is the least cost of all that was measured; nothing else decides.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from enum import StrEnum

import msgspec

from weedhounds.codec.base import Compression, Format
from weedhounds.errors import BadInput


class Use(StrEnum):
    """What encoded bytes are for."""

    HOT = "hot"
    REST = "rest"
    WIRE = "wire"


class Prices(msgspec.Struct, frozen=True):
    """What a use pays: seconds for each byte, and decodings for each encoding."""

    byte_price_s: float
    reads: float


DEFAULT_LINK_BYTES_PER_S = 1_250_000.0
"""10 Mbit/s: an ordinary home's upstream, which is what a peer sends over."""

PRICES: Mapping[Use, Prices] = {
    Use.HOT: Prices(byte_price_s=3e-8, reads=2.0),
    Use.REST: Prices(byte_price_s=5e-7, reads=1.0),
    Use.WIRE: Prices(byte_price_s=1 / DEFAULT_LINK_BYTES_PER_S, reads=1.0),
}
"""Prices of the uses.

A byte held displaces other bytes. Doubling a tier gains about 10 points of hit ratio, so a share
more of room for each entry is worth 0.14 x reads x cost of a miss, divided by the entry's bytes. Memory:
20 reads, 0.2 ms for what the SQL tier then answers, 20 KB: 3e-8 s a byte; an entry keeps its record
once it is decoded, so only some of the reads decode. At rest: one read, 100 ms for the origin's
answer, 10 KB: 1.4e-6 s a byte where the database is at its limit; a third of that, for few are.
"""


class Timing(msgspec.Struct, frozen=True):
    """Seconds of one operation: least, median and greatest of ``runs`` measurements."""

    low_s: float
    median_s: float
    high_s: float
    runs: int


class Way(msgspec.Struct, frozen=True, order=True):
    """One way to encode a record."""

    format: Format
    compression: Compression
    level: int

    def __str__(self) -> str:
        return f"{self.format}+{self.compression}:{self.level}" if self.level else f"{self.format}+{self.compression}"


class Measured(msgspec.Struct, frozen=True):
    """What one way came to for one record: bytes of the whole envelope, and times."""

    way: Way
    stored_bytes: int
    encode: Timing
    decode: Timing


class Cost(msgspec.Struct, frozen=True):
    """The cost of one way, seconds, and what it is made of; the last three add up to ``cost_s``."""

    way: Way
    stored_bytes: float
    cost_s: float
    bytes_s: float
    encode_s: float
    decode_s: float


class Choice(msgspec.Struct, frozen=True):
    """The cheapest way, and the cost of every way, cheapest first."""

    format: Format
    compression: Compression
    level: int
    costs: tuple[Cost, ...]

    @property
    def way(self) -> Way:
        """Return format, compression and level in one."""
        return Way(self.format, self.compression, self.level)


class SizedFigures(msgspec.Struct, frozen=True):
    """Figures of all ways for a record of ``size_bytes`` (of MessagePack)."""

    size_bytes: int
    figures: tuple[Measured, ...]


def cost(measured: Measured, prices: Prices, *, cpu_price: float = 1.0) -> Cost:
    """Return what a way costs. Times count with their median."""
    bytes_s = measured.stored_bytes * prices.byte_price_s
    encode_s = cpu_price * measured.encode.median_s
    decode_s = cpu_price * prices.reads * measured.decode.median_s
    return Cost(measured.way, measured.stored_bytes, bytes_s + encode_s + decode_s, bytes_s, encode_s, decode_s)


def prices_of(use: Use, *, link_bytes_per_s: float | None = None, reads: float | None = None) -> Prices:
    """Return the prices of a use, on another link or with other reads where given.

    Raises:
        BadInput: a link that is not faster than nothing, or fewer reads than none.
    """
    default = PRICES[use]
    if link_bytes_per_s is not None and not link_bytes_per_s > 0:
        raise BadInput(f"a link of {link_bytes_per_s} bytes a second carries nothing")
    if reads is not None and reads < 0:
        raise BadInput(f"reads cannot be {reads}")
    is_linked = use is Use.WIRE and link_bytes_per_s is not None
    return Prices(
        byte_price_s=1 / link_bytes_per_s if is_linked and link_bytes_per_s else default.byte_price_s,
        reads=default.reads if reads is None else reads,
    )


def cheapest(measured: Iterable[Measured], prices: Prices, *, cpu_price: float = 1.0) -> Choice:
    """Return the choice among what was measured; of equal costs the first by name.

    Raises:
        BadInput: nothing was measured.
    """
    costs = [cost(each, prices, cpu_price=cpu_price) for each in measured]
    if not costs:
        raise BadInput("no format could be measured, so none can be chosen")
    costs.sort(key=lambda each: (each.cost_s, each.way))
    best = costs[0].way
    return Choice(best.format, best.compression, best.level, tuple(costs))


def at_size(sized: Sequence[SizedFigures], size_bytes: int) -> tuple[Measured, ...]:
    """Return the figures for a record of another size: bytes and times grow by a straight line.

    Args:
        sized: at one or more sizes; below the least, that one's figures hold.

    Raises:
        BadInput: nothing was measured.
    """
    by_size = sorted(sized, key=lambda each: each.size_bytes)
    if not by_size:
        raise BadInput("no format could be measured, so none can be chosen")
    if len(by_size) == 1 or size_bytes <= by_size[0].size_bytes:
        return by_size[0].figures
    measured = next((each.figures for each in by_size if each.size_bytes == size_bytes), None)
    if measured is not None:
        return measured
    above = next((i for i, each in enumerate(by_size) if each.size_bytes >= size_bytes), len(by_size) - 1)
    small, large = by_size[above - 1], by_size[above]
    share = (size_bytes - small.size_bytes) / max(1, large.size_bytes - small.size_bytes)
    small_by_way = {each.way: each for each in small.figures}
    pairs = ((_of_way(small_by_way, each.way), each) for each in large.figures)
    return tuple(_between(one, other, share) for one, other in pairs if one is not None)


def _of_way(figures: Mapping[Way, Measured], way: Way) -> Measured | None:
    """Return a way's figures; where it was too small to be compressed, those of its format alone."""
    return figures.get(way) or figures.get(Way(way.format, Compression.NONE, 0))


def _between(small: Measured, large: Measured, share: float) -> Measured:
    return Measured(
        way=large.way,
        stored_bytes=max(1, round(_line(small.stored_bytes, large.stored_bytes, share))),
        encode=_timing(small.encode, large.encode, share),
        decode=_timing(small.decode, large.decode, share),
    )


def _timing(small: Timing, large: Timing, share: float) -> Timing:
    low_s, median_s, high_s = (
        max(0.0, _line(one, other, share))
        for one, other in (
            (small.low_s, large.low_s),
            (small.median_s, large.median_s),
            (small.high_s, large.high_s),
        )
    )
    return Timing(low_s, median_s, high_s, runs=min(small.runs, large.runs))


def _line(small: float, large: float, share: float) -> float:
    return small + (large - small) * share


def pareto(measured: Sequence[Measured]) -> frozenset[Way]:
    """Return the ways that no other way beats in bytes, encoding and decoding at once."""
    return frozenset(each.way for each in measured if not any(_beats(other, each) for other in measured))


def _beats(one: Measured, other: Measured) -> bool:
    mine = (one.stored_bytes, one.encode.median_s, one.decode.median_s)
    theirs = (other.stored_bytes, other.encode.median_s, other.decode.median_s)
    return mine != theirs and all(a <= b for a, b in zip(mine, theirs, strict=True))
