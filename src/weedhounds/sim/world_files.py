"""Write a world as the files that ``weedhounds ttl replay`` reads, with the costs of its oracle beside.

The bytes are the same for the same spec and seed.
"""

from __future__ import annotations

import csv
import gzip
from collections.abc import Iterable, Sequence
from io import StringIO
from pathlib import Path

import msgspec

from weedhounds.errors import BadInput
from weedhounds.sim.bounds import clairvoyant
from weedhounds.sim.judge import PRICES, fixed_table
from weedhounds.sim.oracle import Oracle
from weedhounds.sim.references import FILE_NAME, FixedTable, PriceReference, Reference
from weedhounds.sim.replay import WARMUP_DAYS, replay
from weedhounds.sim.trace import Trace
from weedhounds.sim.worlds import World

_COMPRESSION = 6


def write_world(world: World, folder: Path, *, has_oracle: bool = True) -> list[Path]:
    """Write the world's files into ``folder``, which is made where it is not there; return their paths.

    Args:
        has_oracle: solve and replay the oracle too (some ten seconds).

    Raises:
        BadInput: the folder cannot be written.
    """
    trace = world.trace
    files = {
        "changes.csv.gz": _zipped(_times_csv(_changes(trace))),
        "requests.csv.gz": _zipped(_times_csv(_requests(trace))),
        "items.csv": _items_csv(trace).encode(),
    }
    if trace.outages:
        files["outages.csv"] = _outages_csv(trace).encode()
    if has_oracle:
        files[FILE_NAME] = msgspec.json.format(msgspec.json.encode(reference_of(world)), indent=1) + b"\n"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, data in files.items():
            (folder / name).write_bytes(data)
    except OSError as error:
        raise BadInput(f"cannot write {error.filename or folder}: {error.strerror}") from error
    return [folder / name for name in files]


def reference_of(world: World, prices: Sequence[float] = PRICES) -> Reference:
    """Replay oracle, fixed table and clairvoyant on a world."""
    fixed = replay(world.trace, fixed_table()).total
    bound = clairvoyant(world.trace)
    by_price = {}
    for price in prices:
        best = replay(world.trace, Oracle(world, price)).total
        by_price[str(price)] = PriceReference(
            oracle_J=round(best.cost(price), 5),
            oracle_calls=best.calls,
            oracle_stale_fraction=round(best.stale_fraction, 5),
            fixed_table_J=round(fixed.cost(price), 5),
        )
    return Reference(
        warmup_days=WARMUP_DAYS,
        requests_counted=fixed.requests,
        fixed_table=FixedTable(fixed.calls, round(fixed.stale_fraction, 5), round(fixed.hit_ratio, 4)),
        clairvoyant_calls_at_the_fixed_tables_stale_count=bound.calls_at(fixed.stale),
        clairvoyant_calls_for_no_stale_serve=bound.calls_for_no_stale_serve,
        by_price=by_price,
    )


def _changes(trace: Trace) -> Iterable[tuple[str, Sequence[float]]]:
    return ((item.key, times) for item, times in zip(trace.items, trace.changes, strict=True))


def _requests(trace: Trace) -> Iterable[tuple[str, Sequence[float]]]:
    times: list[list[float]] = [[] for _ in trace.items]
    for t, key in zip(trace.request_times, trace.request_keys, strict=True):
        times[key].append(t)
    return ((item.key, asked) for item, asked in zip(trace.items, times, strict=True))


def _times_csv(rows: Iterable[tuple[str, Sequence[float]]]) -> str:
    lines = ["key,t"]
    lines += [f"{_cell(key)},{t:.3f}" for key, times in rows for t in times]
    return "\n".join(lines) + "\n"


def _cell(key: str) -> str:
    return '"' + key.replace('"', '""') + '"' if any(c in key for c in ',"\n\r') else key


def _items_csv(trace: Trace) -> str:
    rows = ((i.key, i.dtype.value, i.source, i.tz, i.weight) for i in trace.items)
    return _csv(("key", "dtype", "source", "tz", "weight"), rows)


def _outages_csv(trace: Trace) -> str:
    every = (outage for outages in trace.outages.values() for outage in outages)
    return _csv(("source", "since", "until"), ((o.source, o.since, o.until) for o in every))


def _csv(header: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    text = StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)
    return text.getvalue()


def _zipped(text: str) -> bytes:
    return gzip.compress(text.encode(), _COMPRESSION, mtime=0)
