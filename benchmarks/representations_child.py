"""One process of ``bench_representations.py``: holds the entries of a file in one representation, and reads them.

Prints a JSON line: bytes that the process grew by, payload bytes, and the latency of reads.
"""

from __future__ import annotations

import gc
import random
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec

from weedhounds.codec import decode_body
from weedhounds.model.keys import RecordKey
from weedhounds.model.records import Body

READS = 400
_decoder: msgspec.json.Decoder[Body] = msgspec.json.Decoder(Body)


class Held(msgspec.Struct, frozen=True, kw_only=True):
    """What holding ``entries`` in one representation came to; latencies in microseconds."""

    representation: str
    entries: int
    grown_bytes: int
    own_bytes: int
    record_us: list[float]
    json_us: list[float]


class Stored(msgspec.Struct, frozen=True):
    """An entry in the file: its key and its stored body."""

    key: str
    body: bytes


def stored_in(file: Path) -> Iterator[Stored]:
    """Yield the entries of a file: MessagePack of :class:`Stored`, each after its length in 4 bytes."""
    decode = msgspec.msgpack.Decoder(Stored).decode
    with file.open("rb") as stream:
        while head := stream.read(4):
            yield decode(stream.read(int.from_bytes(head, "big")))


def write_stored(file: Path, entries: Iterator[Stored]) -> None:
    """Write the entries as :func:`stored_in` reads them."""
    with file.open("wb") as stream:
        for each in entries:
            packed = msgspec.msgpack.encode(each)
            stream.write(len(packed).to_bytes(4, "big") + packed)


MAKE: dict[str, Callable[[bytes], object]] = {
    "typed records": decode_body,
    "JSON bytes": lambda body: msgspec.json.encode(decode_body(body)),
    "stored": lambda body: body,
}
TO_RECORD: dict[str, Callable[..., object]] = {
    "typed records": lambda record: record,
    "JSON bytes": _decoder.decode,
    "stored": decode_body,
}
TO_JSON: dict[str, Callable[..., object]] = {
    "typed records": msgspec.json.encode,
    "JSON bytes": lambda held: held,
    "stored": lambda body: msgspec.json.encode(decode_body(body)),
}


def main(representation: str, file: Path) -> Held:
    """Hold everything, then read some in random order."""
    make = MAKE[representation]
    for each in stored_in(file):  # the first one warms up: what is imported and set up by it is not counted
        make(each.body)
        break
    gc.collect()
    before = _resident()
    held = {RecordKey.parse(each.key): make(each.body) for each in stored_in(file)}
    gc.collect()
    grown = _resident() - before
    keys = random.Random(1).choices(list(held), k=READS)
    return Held(
        representation=representation,
        entries=len(held),
        grown_bytes=grown,
        own_bytes=sum(len(value) for value in held.values() if isinstance(value, bytes)),
        record_us=_reads(held, keys, TO_RECORD[representation]),
        json_us=_reads(held, keys, TO_JSON[representation]),
    )


def _reads(held: dict[RecordKey, object], keys: list[RecordKey], to: Callable[..., object]) -> list[float]:
    """Return the microseconds of each read, look-up by key included."""
    taken = []
    for key in keys:
        started = time.perf_counter_ns()
        to(held[key])
        taken.append((time.perf_counter_ns() - started) / 1e3)
    return taken


def _resident() -> int:
    fields = Path("/proc/self/smaps_rollup").read_text().split()
    return int(fields[fields.index("Rss:") + 1]) * 1024


if __name__ == "__main__":
    sys.stdout.buffer.write(msgspec.json.encode(main(sys.argv[1], Path(sys.argv[2]))) + b"\n")
