"""The least time a cold hunt can take, given the latencies really drawn and the budgets. Pure.

Every hunt must first search for the shops of an origin; then each shop's first page, its further
pages after that one, and its specials. No order of these calls is faster than any of three
bounds: the longest chain; the work divided by the calls allowed in flight; the token bucket,
which lets the n-th call out no sooner than its token comes.
"""

from __future__ import annotations

import heapq
from collections import defaultdict
from collections.abc import Mapping, Sequence

import msgspec

from weedhounds.sources.base import Budget

_SEARCH = "near"


class LoggedCall(msgspec.Struct, frozen=True):
    """One call as the sandbox logs it (:class:`weedhounds.sandbox.gate.Call`)."""

    origin: str
    kind: str
    arrived_s: float
    latency_ms: float
    status: int
    bytes: int
    target: str | None = None
    page: int = 0

    @property
    def is_refused(self) -> bool:
        """Tell whether the budget refused it: such a call took no latency and brought nothing."""
        return self.status == 429


class Bound(msgspec.Struct, frozen=True, kw_only=True):
    """The bounds of one origin, and what its calls need in a plain list schedule; seconds.

    The truly least time lies between :attr:`seconds` and ``schedule_s``.
    """

    origin: str
    critical_s: float
    concurrency_s: float
    tokens_s: float
    schedule_s: float

    @property
    def seconds(self) -> float:
        """Return the greatest of the bounds."""
        return max(self.critical_s, self.concurrency_s, self.tokens_s)

    @property
    def name(self) -> str:
        """Return which of the bounds is the greatest."""
        of = {"critical path": self.critical_s, "concurrency": self.concurrency_s, "tokens": self.tokens_s}
        return max(of, key=lambda name: of[name])


class _Step(msgspec.Struct):
    """A call and the calls that it makes possible; ``tail_s`` is the longest chain that begins with it."""

    latency_s: float
    then: list[_Step]

    @property
    def tail_s(self) -> float:
        return self.latency_s + max((step.tail_s for step in self.then), default=0.0)


def hunt_bounds(calls: Sequence[LoggedCall], budgets: Mapping[str, Budget]) -> list[Bound]:
    """Return the bounds of every origin that was called, the latest first."""
    by_origin: dict[str, list[LoggedCall]] = defaultdict(list)
    for call in calls:
        if not call.is_refused:
            by_origin[call.origin].append(call)
    bounds = [origin_bound(origin, own, budgets[origin]) for origin, own in by_origin.items()]
    return sorted(bounds, key=lambda bound: -bound.seconds)


def origin_bound(origin: str, calls: Sequence[LoggedCall], budget: Budget) -> Bound:
    """Return the bounds of one origin's calls, all of them answered."""
    searches = _chains([call for call in calls if call.kind == _SEARCH])
    shops = _chains([call for call in calls if call.target is not None])
    free = _chains([call for call in calls if call.kind != _SEARCH and call.target is None])
    search_s = max((step.tail_s for step in searches), default=0.0)
    before = sum(1 for call in calls if call.target is None)
    tails = sorted((s.tail_s for step in shops for s in (step, *step.then)), reverse=True)
    work_s = sum(call.latency_ms for call in calls if call.target is not None) / 1000
    return Bound(
        origin=origin,
        critical_s=max(search_s + max(tails, default=0.0), max((step.tail_s for step in free), default=0.0)),
        concurrency_s=search_s + work_s / budget.concurrency,
        tokens_s=_tokens_s(tails, search_s, before, budget),
        schedule_s=_Schedule(searches, shops, free, budget).run(),
    )


def _tokens_s(tails: Sequence[float], search_s: float, before: int, budget: Budget) -> float:
    """Return the bound of the bucket: giving the first tokens to the longest chains is the best order."""
    tokens = min(float(budget.burst), budget.burst - before + search_s * budget.rate_per_s)
    outs = (max(0.0, (n - tokens) / budget.rate_per_s) for n in range(1, len(tails) + 1))
    return search_s + max((out + tail for out, tail in zip(outs, tails, strict=True)), default=0.0)


def _chains(calls: Sequence[LoggedCall]) -> list[_Step]:
    """Return the first calls with their further pages; specials and the like are chains of one."""
    groups: dict[tuple[str, str | None], list[LoggedCall]] = defaultdict(list)
    for call in calls:
        groups[call.kind, call.target].append(call)
    firsts = []
    for group in groups.values():
        steps = [(call.page, _Step(call.latency_ms / 1000, [])) for call in group]
        first = [step for page, step in steps if page == 0]
        further = [step for page, step in steps if page > 0]
        if len(first) == 1:
            first[0].then = further
            further = []
        firsts += first + further
    return firsts


class _Schedule:
    """The calls played out within the limits: of those possible, the one with the longest chain goes first.

    What a client that knew the latencies could do, at least.
    """

    def __init__(self, searches: list[_Step], shops: list[_Step], free: list[_Step], budget: Budget) -> None:
        self._budget = budget
        self._shops = shops
        self._searches_left = {id(s) for step in searches for s in (step, *step.then)}
        self._ready: list[tuple[float, int, _Step]] = []
        self._running: list[tuple[float, int, _Step]] = []
        self._now_s, self._tokens, self._opened = 0.0, float(budget.burst), 0
        self._open([*searches, *free, *([] if searches else shops)])

    def run(self) -> float:
        """Return when the last call has been answered, seconds."""
        while self._ready or self._running:
            has_place = bool(self._ready) and len(self._running) < self._budget.concurrency
            if has_place and self._tokens >= 1.0:
                self._start()
                continue
            token_s = self._now_s + (1.0 - self._tokens) / self._budget.rate_per_s
            if has_place and not (self._running and self._running[0][0] <= token_s):
                self._advance(token_s)
                self._tokens = max(self._tokens, 1.0)  # whatever rounding has left of it
            else:
                self._end()
        return self._now_s

    def _open(self, steps: list[_Step]) -> None:
        for step in steps:
            heapq.heappush(self._ready, (-step.tail_s, self._opened, step))
            self._opened += 1

    def _start(self) -> None:
        _, number, step = heapq.heappop(self._ready)
        heapq.heappush(self._running, (self._now_s + step.latency_s, number, step))
        self._tokens -= 1.0

    def _end(self) -> None:
        at_s, _, step = heapq.heappop(self._running)
        self._advance(at_s)
        self._open(step.then)
        if id(step) in self._searches_left:
            self._searches_left.discard(id(step))
            self._open([] if self._searches_left else self._shops)

    def _advance(self, to_s: float) -> None:
        refilled = self._tokens + (to_s - self._now_s) * self._budget.rate_per_s
        self._tokens, self._now_s = min(refilled, float(self._budget.burst)), to_s
