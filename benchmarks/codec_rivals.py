"""What the codec is measured against, and how: contenders that encode and decode the same records, timed in turn."""

from __future__ import annotations

import gzip
import io
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import brotli
import msgspec
import orjson
import pyarrow as pa
import pyarrow.parquet as pq
import zstandard
from report import median

from weedhounds.codec import Compression, Encodable, Format, decode, encode
from weedhounds.codec.arrow_format import encode_payload as to_arrow
from weedhounds.codec.dictionary import Dictionary
from weedhounds.codec.dictionary_store import MemoryDictionaries

YARDSTICK_NOTE = (
    "The yardstick is orjson + gzip 6 of the same normalised records. Like ours it starts from typed records and ends "
    "with typed records of the same type: msgspec.to_builtins, orjson.dumps, gzip.compress at level 6, and back over "
    "gzip.decompress, orjson.loads and msgspec.convert."
)
"""What ours is measured against, in the same words wherever it is."""

ROUND_S = 0.004
"""A pass over the records is repeated until it takes this long."""


class Contender(NamedTuple):
    """One way there and back. ``prepare`` is not timed: what the way starts from."""

    name: str
    prepare: Callable[[Encodable], Any]
    encode: Callable[[Any], bytes]
    decode: Callable[[bytes], object]


class Outcome(NamedTuple):
    """Bytes in all, and seconds of a pass over all records, one figure for each run."""

    stored_bytes: int
    encode_s: list[float]
    decode_s: list[float]


def ours(
    name: str,
    format_: Format,
    compression: Compression,
    *,
    level: int | None = None,
    dictionary: Dictionary | None = None,
) -> Contender:
    """Return a way of the codec, envelope and checks included."""
    if dictionary is None:
        return Contender(name, _as_is, lambda r: encode(r, format_, compression, level=level), decode)
    store = MemoryDictionaries([dictionary])
    return Contender(
        name,
        _as_is,
        lambda record: encode(record, format_, compression, level=level, dictionary=dictionary),
        lambda data: decode(data, dictionaries=store),
    )


def _as_is(record: Encodable) -> Encodable:
    return record


def as_api(record: Encodable) -> bytes:
    """Return a record as an API ships it: the yardstick."""
    return gzip.compress(orjson.dumps(msgspec.to_builtins(record)), 6, mtime=0)


def from_api(data: bytes, kind: type[Any]) -> Any:
    """Return the record of :func:`as_api`, which is of that type."""
    return msgspec.convert(orjson.loads(gzip.decompress(data)), kind)


def baselines(kind: type[Any]) -> list[Contender]:
    """Return orjson of the same records with gzip 6 (the yardstick), zstd 3 and brotli 5; see ``YARDSTICK_NOTE``.

    Args:
        kind: of the records.
    """
    packer, unpacker = zstandard.ZstdCompressor(level=3), zstandard.ZstdDecompressor()
    return [
        Contender("orjson + gzip 6", _as_is, as_api, lambda data: from_api(data, kind)),
        Contender(
            "orjson + zstd 3",
            _as_is,
            lambda record: packer.compress(orjson.dumps(msgspec.to_builtins(record))),
            lambda data: msgspec.convert(orjson.loads(unpacker.decompress(data)), kind),
        ),
        Contender(
            "orjson + brotli 5",
            _as_is,
            lambda record: brotli.compress(orjson.dumps(msgspec.to_builtins(record)), quality=5),
            lambda data: msgspec.convert(orjson.loads(brotli.decompress(data)), kind),
        ),
    ]


def floor(kind: type[Any]) -> Contender:
    """Return the least that a typed record costs here: msgspec and zstd alone, without envelope, check or coding."""
    packer, unpacker = zstandard.ZstdCompressor(level=3), zstandard.ZstdDecompressor()
    decoder = msgspec.msgpack.Decoder(kind)
    return Contender(
        "msgspec.msgpack + zstd 3 alone",
        _as_is,
        lambda record: packer.compress(msgspec.msgpack.encode(record)),
        lambda data: decoder.decode(unpacker.decompress(data)),
    )


def without_nulls() -> Contender:
    """Return the yardstick with absent fields left out: for its size."""
    return Contender(
        "orjson + gzip 6, nulls left out",
        lambda record: _dense(msgspec.to_builtins(record)),
        lambda plain: gzip.compress(orjson.dumps(plain), 6, mtime=0),
        lambda data: orjson.loads(gzip.decompress(data)),
    )


def _dense(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _dense(each) for key, each in value.items() if each is not None and each != {} and each != ()}
    return [_dense(each) for each in value] if isinstance(value, list | tuple) else value


def table_of(record: Encodable) -> pa.Table:
    """Return a body as an Arrow table, one row an item."""
    with pa.ipc.open_stream(to_arrow(record)) as stream:
        return stream.read_all()


def columnar() -> list[Contender]:
    """Return Parquet and Arrow IPC, both with zstd, from typed records to the rows as dictionaries."""
    options = pa.ipc.IpcWriteOptions(compression="zstd")

    def to_parquet(record: Encodable) -> bytes:
        sink = io.BytesIO()
        pq.write_table(table_of(record), sink, compression="zstd")
        return sink.getvalue()

    def to_ipc(record: Encodable) -> bytes:
        table, sink = table_of(record), pa.BufferOutputStream()
        with pa.ipc.new_stream(sink, table.schema, options=options) as stream:
            stream.write_table(table)
        packed: bytes = sink.getvalue().to_pybytes()
        return packed

    def from_ipc(data: bytes) -> object:
        with pa.ipc.open_stream(data) as stream:
            return stream.read_all().to_pylist()

    return [
        Contender("Parquet + zstd", _as_is, to_parquet, lambda data: pq.read_table(io.BytesIO(data)).to_pylist()),
        Contender("Arrow IPC + zstd", _as_is, to_ipc, from_ipc),
    ]


def race(records: Sequence[Encodable], contenders: Sequence[Contender], runs: int) -> dict[str, Outcome]:
    """Time all contenders over the same records, in turn, as often as there are runs.

    Every result is decoded once and, where it is a record, compared with the one that went in.
    """
    prepared: Mapping[str, list[Any]] = {each.name: [each.prepare(record) for record in records] for each in contenders}
    outcomes: dict[str, Outcome] = {}
    stored: dict[str, list[bytes]] = {}
    for each in contenders:
        stored[each.name] = [each.encode(item) for item in prepared[each.name]]
        for record, data in zip(records, stored[each.name], strict=True):
            back = each.decode(data)
            assert not isinstance(back, msgspec.Struct) or back == record, each.name
        outcomes[each.name] = Outcome(sum(map(len, stored[each.name])), [], [])
    for _ in range(runs):
        for each in contenders:
            outcomes[each.name].encode_s.append(_seconds(each.encode, prepared[each.name]))
            outcomes[each.name].decode_s.append(_seconds(each.decode, stored[each.name]))
    return outcomes


def _seconds(work: Callable[[Any], object], items: Sequence[Any]) -> float:
    passes, started_s = 0, time.perf_counter()
    while True:
        for item in items:
            work(item)
        passes += 1
        taken_s = time.perf_counter() - started_s
        if taken_s >= ROUND_S:
            return taken_s / passes


class Ratios(NamedTuple):
    """How many times smaller, faster to encode and faster to decode one outcome is than another (medians)."""

    smaller: float
    encode: float
    decode: float


def ratios(outcome: Outcome, rival: Outcome) -> Ratios:
    """Compare two outcomes of one race."""
    return Ratios(
        rival.stored_bytes / outcome.stored_bytes,
        median(rival.encode_s) / median(outcome.encode_s),
        median(rival.decode_s) / median(outcome.decode_s),
    )
