"""The clairvoyant: who knows every change and every request. A bound that nobody can reach. Pure.

A copy serves fresh only the requests of the version that it is of, so versions are independent and
one call for each suffices: B calls are best spent on the B versions with the most requests. A
version that was asked for during the warm-up was fetched then and costs nothing afterwards.
"""

from __future__ import annotations

from bisect import bisect_right

import msgspec

from weedhounds.sim.replay import WARMUP_DAYS
from weedhounds.sim.trace import DAY_S, Trace


class Clairvoyant(msgspec.Struct, frozen=True):
    """How many counted requests each version has that needs a call of its own, most first."""

    version_requests: tuple[int, ...]

    @property
    def calls_for_no_stale_serve(self) -> int:
        """Return the calls that leave no serve stale."""
        return len(self.version_requests)

    def calls_at(self, stale: int) -> int:
        """Return the fewest calls that leave at most ``stale`` stale serves."""
        left = sum(self.version_requests)
        for calls, requests in enumerate(self.version_requests):
            if left <= stale:
                return calls
            left -= requests
        return len(self.version_requests)

    def stale_at(self, calls: int) -> int:
        """Return the fewest stale serves that ``calls`` calls leave."""
        return sum(self.version_requests[max(0, calls) :])


def clairvoyant(trace: Trace, warmup_days: float = WARMUP_DAYS) -> Clairvoyant:
    """Return the bound for ``trace``; outages and weights are left out."""
    counted_from = trace.start + warmup_days * DAY_S
    counts: dict[tuple[int, int], int] = {}
    held: set[tuple[int, int]] = set()
    for t, key in zip(trace.request_times, trace.request_keys, strict=True):
        version = (key, bisect_right(trace.changes[key], t))
        if t < counted_from:
            held.add(version)
        else:
            counts[version] = counts.get(version, 0) + 1
    needed = (count for version, count in counts.items() if version not in held)
    return Clairvoyant(tuple(sorted(needed, reverse=True)))
