"""What the read path asked of each tier, and what became of each request; counted by data type.

The tiers themselves count what they do (puts, evictions, bytes). These counters say what was
asked for: each key that somebody wanted is one request and one question to the first tier, whatever
happens to it, so that hits + misses are requests exactly. Nothing here writes anything anywhere: a
count is an integer in memory, read when somebody asks for the figures.

Bounds: one counter for each data type, one histogram for each tier.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Literal

import msgspec

from weedhounds.cache.entry import Entry
from weedhounds.cache.tier import TierStats, TypeStats, hit_ratio
from weedhounds.model.datatypes import DataType
from weedhounds.model.keys import RecordKey
from weedhounds.telemetry import TIER_BOUNDS_S, Histogram

Counts = dict[DataType, int]
DirectHits = Callable[[], Mapping[DataType, int]]
"""Tells the requests that were answered without the read path, by data type."""


def _zeros() -> Counts:
    return dict.fromkeys(DataType, 0)


class TierMeter:
    """Counts what one tier was asked for and how long its answers took.

    Args:
        direct: hits that the tier gave without the read path, counted by whoever gave them.
    """

    __slots__ = ("_direct", "_hits", "_misses", "_stale", "latency")

    def __init__(self, direct: DirectHits | None = None) -> None:
        self._direct = direct or dict
        self._hits = _zeros()
        self._misses = _zeros()
        self._stale = _zeros()
        self.latency = Histogram(TIER_BOUNDS_S)

    def asked(self, keys: Collection[RecordKey], found: Mapping[RecordKey, Entry]) -> None:
        """Count one question for different ``keys`` that was answered with ``found``."""
        for key in keys:
            counts = self._hits if key in found else self._misses
            counts[key.data_type] += 1

    def served_stale(self, data_type: DataType) -> None:
        """Count one expired entry of this tier that was served."""
        self._stale[data_type] += 1

    def over(self, own: TierStats) -> TierStats:
        """Return a tier's own figures with what was asked of it."""
        direct = self._direct()
        each = {t.value: self._type_stats(t, own.by_type.get(t.value, TypeStats()), direct.get(t, 0)) for t in DataType}
        hits, misses = sum(t.hits for t in each.values()), sum(t.misses for t in each.values())
        return msgspec.structs.replace(
            own,
            hits=hits,
            misses=misses,
            stale=sum(self._stale.values()),
            hit_ratio=hit_ratio(hits, misses),
            by_type={name: stats for name, stats in each.items() if stats != TypeStats()},
            latency=self.latency.summary(),
        )

    def _type_stats(self, data_type: DataType, own: TypeStats, direct: int) -> TypeStats:
        hits, misses = self._hits[data_type] + direct, self._misses[data_type]
        return msgspec.structs.replace(
            own, hits=hits, misses=misses, stale=self._stale[data_type], hit_ratio=hit_ratio(hits, misses)
        )


Outcome = Literal["hits", "loaded", "stale", "missing"]


class RequestStats(msgspec.Struct, frozen=True, kw_only=True):
    """What became of the requests for one data type: hits + misses = requests.

    Args:
        requests: keys that somebody wanted.
        hits: of them, those that a tier could serve at once.
        misses: the rest: loaded + stale + missing.
        loaded: came from their origin.
        stale: an expired entry was served because the origin failed.
        missing: nothing could be served, or nobody waited for it any more.
        hit_ratio: hits / requests; 0 where there were none.
    """

    requests: int
    hits: int
    misses: int
    loaded: int
    stale: int
    missing: int
    hit_ratio: float


class RequestMeter:
    """Counts what becomes of requests.

    Args:
        direct: as in :class:`TierMeter`: requests that were hits before they came here.
    """

    __slots__ = ("_counts", "_direct")

    def __init__(self, direct: DirectHits | None = None) -> None:
        self._direct = direct or dict
        self._counts: dict[Outcome, Counts] = {
            "hits": _zeros(), "loaded": _zeros(), "stale": _zeros(), "missing": _zeros()
        }  # fmt: skip

    def add(self, data_type: DataType, outcome: Outcome) -> None:
        """Count one request."""
        self._counts[outcome][data_type] += 1

    def total(self) -> RequestStats:
        """Return the figures of all data types together."""
        counts = {outcome: sum(counts.values()) for outcome, counts in self._counts.items()}
        return _request_stats(counts, sum(self._direct().values()))

    def by_type(self) -> dict[str, RequestStats]:
        """Return the figures of each data type that was asked for."""
        direct = self._direct()
        each = {
            t.value: _request_stats({o: counts[t] for o, counts in self._counts.items()}, direct.get(t, 0))
            for t in DataType
        }
        return {name: stats for name, stats in each.items() if stats.requests}


def _request_stats(counts: Mapping[Outcome, int], direct: int) -> RequestStats:
    hits, misses = counts["hits"] + direct, counts["loaded"] + counts["stale"] + counts["missing"]
    return RequestStats(
        requests=hits + misses,
        hits=hits,
        misses=misses,
        loaded=counts["loaded"],
        stale=counts["stale"],
        missing=counts["missing"],
        hit_ratio=hit_ratio(hits, misses),
    )
