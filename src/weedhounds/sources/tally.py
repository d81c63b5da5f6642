"""What is counted of one origin's calls."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from weedhounds.breaker import BreakerState
from weedhounds.sources.limits import Gate
from weedhounds.sources.outage import Outage
from weedhounds.telemetry import Counters, Histogram, LatencySummary


class OriginStats(msgspec.Struct, frozen=True, kw_only=True):
    """Figures of one origin since start, for ``/v1/stats``.

    Args:
        calls: attempts that went out, second ones (``hedges``) included.
        rate_limited: answers 429. ``challenged``: pages of a bot guard.
        tokens: calls that the budget allows at once now.
        rate_per_s: the rate in use: below the configured one where the origin did not bear that.
        day_left: calls left of the daily budget; ``None`` where none is set.
        breaker: ``closed``, ``open`` or ``half_open``. ``breaker_opened``: times that it opened.
        breaker_refused: calls that it did not let out.
        hedges: calls sent a second time. ``hedges_won``: of them, those answered first.
        connections_new, connections_reused: requests by the connection that they went over.
    """

    calls: int
    retries: int
    rate_limited: int
    bytes: int
    errors: Mapping[str, int]
    latency: LatencySummary
    tokens: float
    in_flight: int
    waiting: int
    challenged: int = 0
    rate_per_s: float = 0.0
    day_left: int | None = None
    breaker: BreakerState = BreakerState.CLOSED
    breaker_opened: int = 0
    breaker_refused: int = 0
    hedges: int = 0
    hedges_won: int = 0
    connections_new: int = 0
    connections_reused: int = 0


class Tally:
    """Counts of one origin; what is of the whole node is counted there too.

    Args:
        node: the node's counters (``origin_calls``, ``origin_retries``, …).
    """

    def __init__(self, node: Counters) -> None:
        self._node = node
        self.latency = Histogram()
        self._errors = Counters()
        self._counts = Counters()

    def add(self, name: str) -> None:
        """Count one ``calls``, ``retries``, ``hedges`` …, named as in :class:`OriginStats`."""
        self._counts.add(name)
        if name in _OF_THE_NODE:
            self._node.add(_OF_THE_NODE[name])

    def failed(self, error: Exception) -> None:
        """Count a call that came to an error, by its class."""
        self._errors.add(type(error).__name__)
        self._node.add("origin_errors")

    def answered(self, elapsed_s: float, size: int) -> None:
        """Count an answer: the seconds it took and its bytes, decompressed."""
        self.latency.observe(elapsed_s)
        self._counts.add("bytes", size)

    def stats(self, gate: Gate, outage: Outage) -> OriginStats:
        """Return the figures, with those of the moment."""
        count = self._counts
        return OriginStats(
            calls=count["calls"],
            retries=count["retries"],
            rate_limited=count["rate_limited"],
            bytes=count["bytes"],
            errors=self._errors.snapshot(),
            latency=self.latency.summary(),
            tokens=gate.tokens,
            in_flight=gate.in_flight,
            waiting=gate.waiting,
            challenged=count["challenged"],
            rate_per_s=gate.rate_per_s,
            day_left=gate.day_left,
            breaker=outage.state,
            breaker_opened=outage.opened,
            breaker_refused=outage.refused,
            hedges=count["hedges"],
            hedges_won=count["hedges_won"],
            connections_new=count["connections_new"],
            connections_reused=count["connections_reused"],
        )


_OF_THE_NODE: Mapping[str, str] = {
    "calls": "origin_calls",
    "retries": "origin_retries",
    "rate_limited": "origin_429",
    "hedges": "origin_hedges",
}
