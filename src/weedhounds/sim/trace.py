"""Traces: what changed at the origins, what was asked for, and what the keys are.

Owns the reading of the CSV files (``.gz`` too) of ``docs/ttl-judging.md``. Rows may stand in any
order and may repeat: they are sorted, repeats are dropped, and both are counted in ``TraceNotes``.
What is no number, no known data type or no such column is refused with its line.
"""

from __future__ import annotations

import csv
import gzip
import math
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from typing import TextIO

import msgspec

from weedhounds.errors import BadInput
from weedhounds.model.datatypes import DataType

DAY_S = 86_400.0
MAX_ROWS = 50_000_000
"""Most rows of one file: 5 GB of memory, which no trace of a node's month reaches."""
_MAX_TIME_S = 1e11
"""Greatest time: later than the year 5000, so that milliseconds are refused instead of replayed."""
_MAX_TZ_S = DAY_S

_TYPE_NAMES = frozenset(each.value for each in DataType)
_WORDS: dict[str, DataType] = {
    "menu": DataType.DISPENSARY_MENU,
    "pric": DataType.PRODUCT_PRICING,
    "prom": DataType.PROMOTIONS,
    "stat": DataType.ANALYTICS_DATA,
    "anal": DataType.ANALYTICS_DATA,
    "info": DataType.DISPENSARY_INFO,
    "lab": DataType.LAB_RESULTS,
    "stra": DataType.STRAIN_DATA,
    "terp": DataType.TERPENE_PROFILES,
}
"""How the first part of a key begins, for traces without items."""


class Item(msgspec.Struct, frozen=True):
    """What a key is: its data type, its source, the source's zone and the price of a stale serve.

    Args:
        tz: local time of the source minus UTC, seconds.
    """

    key: str
    dtype: DataType
    source: str
    tz: float = 0.0
    weight: float = 1.0


class TraceNotes(msgspec.Struct, frozen=True, kw_only=True):
    """What was mended while reading, in rows: a file with many of them is not what it should be."""

    unsorted_changes: int = 0
    unsorted_requests: int = 0
    duplicate_changes: int = 0
    duplicate_requests: int = 0
    keys_without_item: int = 0

    def told(self) -> list[str]:
        """Return what there is to say, one line each; nothing where the files were in order."""
        lines = {
            f"{self.unsorted_changes:,} changes were out of order: sorted": self.unsorted_changes,
            f"{self.unsorted_requests:,} requests were out of order: sorted": self.unsorted_requests,
            f"{self.duplicate_changes:,} changes stood there twice: dropped": self.duplicate_changes,
            f"{self.duplicate_requests:,} requests stood there twice: dropped": self.duplicate_requests,
            f"{self.keys_without_item:,} keys have no item: their type was taken from their name": (
                self.keys_without_item
            ),
        }
        return [line for line, count in lines.items() if count]


class Outage(msgspec.Struct, frozen=True):
    """A time during which every call to ``source`` fails: from ``since`` on, before ``until``."""

    source: str
    since: float
    until: float


class Trace:
    """Changes and requests of a set of keys, in time order.

    Args:
        items: the keys, each once.
        changes: times of the changes of each key; any order, repeats dropped.
        requests: times of the requests of each key; the same.
        outages: when which source answers nothing.
        keys_without_item: how many items are guesses; for the notes.

    Raises:
        BadInput: a key of ``changes`` or ``requests`` has no item, or there is no request.

    Bounds: about 100 bytes a row.
    """

    def __init__(
        self,
        items: Iterable[Item],
        changes: Mapping[str, Sequence[float]],
        requests: Mapping[str, Sequence[float]],
        *,
        outages: Iterable[Outage] = (),
        keys_without_item: int = 0,
    ) -> None:
        self.items: tuple[Item, ...] = tuple(items)
        index = {item.key: i for i, item in enumerate(self.items)}
        for key in (*changes, *requests):
            if key not in index:
                raise BadInput(f"no item of key {key!r}")
        if not any(requests.values()):
            raise BadInput("no requests: nothing to judge")
        changed, unsorted_changes, duplicate_changes = _in_order(changes)
        asked, unsorted_requests, duplicate_requests = _in_order(requests)
        self.changes: list[list[float]] = [changed.get(item.key, []) for item in self.items]
        """Times of each key's changes, in the order of ``items``."""
        merged = sorted((t, index[key]) for key, times in asked.items() for t in times)
        self.request_times: list[float] = [t for t, _ in merged]
        self.request_keys: list[int] = [key for _, key in merged]
        """Which item each request is for."""
        self.outages: dict[str, list[Outage]] = {}
        for outage in sorted(outages, key=lambda each: each.since):
            self.outages.setdefault(outage.source, []).append(outage)
        self.notes = TraceNotes(
            unsorted_changes=unsorted_changes,
            unsorted_requests=unsorted_requests,
            duplicate_changes=duplicate_changes,
            duplicate_requests=duplicate_requests,
            keys_without_item=keys_without_item,
        )

    @property
    def start(self) -> float:
        """Return the midnight (UTC) before the first request or change: the warm-up begins there."""
        first = min([self.request_times[0], *(times[0] for times in self.changes if times)])
        return math.floor(first / DAY_S) * DAY_S

    @property
    def end(self) -> float:
        """Return the time of the last request."""
        return self.request_times[-1]


def _in_order(rows: Mapping[str, Sequence[float]]) -> tuple[dict[str, list[float]], int, int]:
    """Return each key's times sorted and without repeats, how many went back, how many repeated."""
    ordered: dict[str, list[float]] = {}
    unsorted = duplicates = 0
    for key, times in rows.items():
        unique = sorted(set(times))
        duplicates += len(times) - len(unique)
        if len(unique) != len(times) or unique != times:
            unsorted += sum(later < earlier for earlier, later in pairwise(times))
        ordered[key] = unique
    return ordered, unsorted, duplicates


def read_trace(changes: Path, requests: Path, items: Path | None = None, *, outages: Path | None = None) -> Trace:
    """Read a trace from its files.

    Args:
        changes: CSV with the columns ``key,t``; ``t`` in Unix seconds (UTC).
        requests: the same.
        items: CSV with the columns ``key,dtype,source,tz[,weight]``. Without it, and for keys it
            does not name, type and source are taken from the key's own text.
        outages: CSV with the columns ``source,since,until``: a column set of our own.

    Raises:
        BadInput: a file cannot be read, a column is missing, a cell is not what it should be.
    """
    changed, asked = _read_times(changes), _read_times(requests)
    known = {item.key: item for item in _read_items(items)} if items is not None else {}
    nameless = [key for key in dict.fromkeys((*changed, *asked)) if key not in known]
    every = [*known.values(), *(item_of_name(key) for key in nameless)]
    broken = _read_outages(outages) if outages is not None else []
    try:
        return Trace(every, changed, asked, outages=broken, keys_without_item=len(nameless))
    except BadInput as error:
        raise BadInput(f"{requests}: {error}") from error


def item_of_name(key: str) -> Item:
    """Return what the text of a key tells of it.

    A record key names its type and its origin; of other keys the first letters are looked at. What
    tells nothing counts as a menu: the type that is asked for and changes most.

    Example:
        >>> item_of_name("product_pricing:leafly:shop-7").source, item_of_name("terpen:3").dtype.value
        ('leafly:shop-7', 'terpene_profiles')
    """
    parts = key.split(":")
    head = parts[0].lower()
    if head in _TYPE_NAMES:
        return Item(key, DataType(head), ":".join(parts[1:3]) or "unknown")
    types = [data_type for word, data_type in _WORDS.items() if head.startswith(word)]
    return Item(key, types[0] if types else DataType.DISPENSARY_MENU, parts[1] if len(parts) > 1 else "unknown")


def _read_times(path: Path) -> dict[str, list[float]]:
    times: dict[str, list[float]] = {}
    with _rows(path, ("key", "t")) as (reader, columns):
        at_key, at_t = columns["key"], columns["t"]
        for row in reader:
            try:
                t = float(row[at_t])
                key = row[at_key]
            except (ValueError, IndexError):
                if not row:
                    continue
                raise _bad(path, reader, f"expected key,t, found {','.join(row)[:80]!r}") from None
            if not -_MAX_TIME_S < t < _MAX_TIME_S:
                raise _bad(path, reader, f"{t!r} is no time in Unix seconds")
            times.setdefault(key, []).append(t)
    return times


def _read_items(path: Path) -> Iterator[Item]:
    seen: set[str] = set()
    with _rows(path, ("key", "dtype", "source", "tz")) as (reader, columns):
        for row in reader:
            if not row:
                continue
            if len(row) < len(columns):
                raise _bad(path, reader, f"expected {len(columns)} cells, found {len(row)}")
            item = _item(path, reader, {name: row[at] for name, at in columns.items()})
            if item.key in seen:
                raise _bad(path, reader, f"the key {item.key[:80]!r} stands there twice")
            seen.add(item.key)
            yield item


def _item(path: Path, reader: _Reader, cells: Mapping[str, str]) -> Item:
    try:
        data_type = DataType(cells["dtype"])
        tz, weight = float(cells["tz"]), float(cells.get("weight", "") or 1.0)
    except ValueError as error:
        raise _bad(path, reader, str(error)[:120]) from error
    if not abs(tz) <= _MAX_TZ_S:
        raise _bad(path, reader, f"{tz!r} is no offset from UTC in seconds")
    if not 0.0 <= weight < math.inf:
        raise _bad(path, reader, f"{weight!r} is no weight")
    return Item(cells["key"], data_type, cells["source"], tz, weight)


def _read_outages(path: Path) -> list[Outage]:
    outages = []
    with _rows(path, ("source", "since", "until")) as (reader, columns):
        for row in reader:
            if not row:
                continue
            try:
                outage = Outage(row[columns["source"]], float(row[columns["since"]]), float(row[columns["until"]]))
            except (ValueError, IndexError):
                raise _bad(path, reader, f"expected source,since,until, found {','.join(row)[:80]!r}") from None
            if not -_MAX_TIME_S < outage.since <= outage.until < _MAX_TIME_S:
                raise _bad(path, reader, "an outage needs since <= until, both in Unix seconds")
            outages.append(outage)
    return outages


class _Reader:
    """CSV rows of one file, counted; at most ``MAX_ROWS``."""

    def __init__(self, file: TextIO) -> None:
        self._rows = csv.reader(file)

    @property
    def line(self) -> int:
        return self._rows.line_num

    def __iter__(self) -> Iterator[list[str]]:
        for count, row in enumerate(self._rows):
            if count >= MAX_ROWS:
                raise BadInput(f"more than {MAX_ROWS:,} rows")
            yield row


@contextmanager
def _rows(path: Path, required: Sequence[str]) -> Iterator[tuple[_Reader, dict[str, int]]]:
    """Open a CSV file and read its header; what goes wrong inside becomes ``BadInput``."""
    try:
        with path.open("rb") as probe:
            opener = gzip.open if probe.read(2) == b"\x1f\x8b" else open
        with opener(path, "rt", encoding="utf-8-sig", errors="replace", newline="") as file:
            reader = _Reader(file)
            header = [name.strip().lower() for name in next(iter(reader), [])]
            missing = [name for name in required if name not in header]
            if missing:
                raise BadInput(f"{path}: line 1: no column {', '.join(missing)}")
            yield reader, {name: header.index(name) for name in (*required, "weight") if name in header}
    except csv.Error as error:
        raise BadInput(f"{path}: line {reader.line}: {error}") from error
    except (OSError, EOFError, zlib.error) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise BadInput(f"cannot read {path}: {reason}") from error


def _bad(path: Path, reader: _Reader, why: str) -> BadInput:
    return BadInput(f"{path}: line {reader.line}: {why}")
