"""``/metrics``: the node's figures for Prometheus.

The same counters as ``/v1/stats``, read when somebody asks: nothing is counted twice, and nothing
is done while nobody looks. Labels are of bounded sets alone: tiers, the eight data types,
configured origins, classes of errors and outcomes; never a key, a path or a client.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from typing import Literal, NamedTuple

from litestar import Response, get
from litestar.openapi.datastructures import ResponseSpec
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from weedhounds import __version__
from weedhounds.api.asked import NodeDependency
from weedhounds.api.problems import documented
from weedhounds.breaker import BreakerState
from weedhounds.cache.tier import TierStats, TypeStats
from weedhounds.node import NodeStats
from weedhounds.sources.fetch import OriginStats
from weedhounds.telemetry import LatencySummary

TEXT_FORMAT = "text/plain; version=0.0.4"  # the framework adds the charset
UNTOLD = "any"
"""The data type of what a tier does not tell apart."""

Sample = tuple[tuple[str, ...], float]
Timing = tuple[tuple[str, ...], LatencySummary]


class Described(NamedTuple):
    """A metric: its name, what it is, its labels and its meaning."""

    name: str
    kind: Literal["counter", "gauge", "histogram"]
    labels: tuple[str, ...]
    meaning: str


Read = Callable[[NodeStats], Iterable[Sample]]


def _one(read: Callable[[NodeStats], float]) -> Read:
    return lambda stats: [((), read(stats))]


def _each_tier(read: Callable[[TierStats], float]) -> Read:
    return lambda stats: [((name,), read(tier)) for name, tier in stats.tiers.items()]


def _each_origin(read: Callable[[OriginStats], float]) -> Read:
    return lambda stats: [((name,), read(origin)) for name, origin in stats.origins.items()]


def _day_left(stats: NodeStats) -> Iterator[Sample]:
    for name, origin in stats.origins.items():
        if origin.day_left is not None:
            yield (name,), origin.day_left


def _connections(stats: NodeStats) -> Iterator[Sample]:
    for name, origin in stats.origins.items():
        yield (name, "new"), origin.connections_new
        yield (name, "reused"), origin.connections_reused


def _each_type(read: Callable[[TypeStats | TierStats], int | None]) -> Read:
    """Read by tier and data type; what a tier does not tell apart is of the type ``any``."""

    def samples(stats: NodeStats) -> Iterator[Sample]:
        for name, tier in stats.tiers.items():
            rest = read(tier) or 0
            for data_type, each in tier.by_type.items():
                value = read(each)
                if value is not None:
                    rest -= value
                    yield (name, data_type), value
            if rest:
                yield (name, UNTOLD), rest

    return samples


def _requests(stats: NodeStats) -> Iterator[Sample]:
    for data_type, each in stats.read.by_type.items():
        for outcome in ("hits", "loaded", "stale", "missing"):
            yield (data_type, outcome), getattr(each, outcome)


def _asked(stats: NodeStats) -> Iterator[Sample]:
    for name, tier in stats.tiers.items():
        for data_type, each in tier.by_type.items():
            yield (name, data_type, "hit"), each.hits
            yield (name, data_type, "miss"), each.misses


def _origin_errors(stats: NodeStats) -> Iterator[Sample]:
    for name, origin in stats.origins.items():
        yield from (((name, kind), count) for kind, count in origin.errors.items())


def _call_prices(stats: NodeStats) -> Iterator[Sample]:
    for origin, price in stats.learning.call_prices.items():
        yield (origin,), price


_BY_TYPE = ("tier", "data_type")
_NUMBERS: tuple[tuple[Described, Read], ...] = tuple(
    (Described(f"weedhounds_{name}", "counter" if name.endswith("_total") else "gauge", labels, meaning), read)
    for name, labels, meaning, read in (
        ("build_info", ("version",), "1, with the version as a label.", lambda _: [((__version__,), 1.0)]),
        ("uptime_seconds", (), "Seconds since the node started.", _one(lambda s: s.uptime_s)),
        ("requests_total", ("data_type", "class"), "Keys asked for, by what became of them: `hits` from a tier, `loaded` from an origin, `stale` because the origin failed, `missing`.", _requests),
        ("tier_requests_total", (*_BY_TYPE, "class"), "Keys that a tier was asked for: `hit` or `miss`.", _asked),
        ("tier_stale_total", _BY_TYPE, "Expired entries of a tier that were served.", _each_type(lambda t: t.stale)),
        ("tier_evictions_total", _BY_TYPE, "Entries that left a tier to make room.", _each_type(lambda t: t.evictions)),
        ("tier_entries", _BY_TYPE, "Entries that a tier holds.", _each_type(lambda t: t.entries)),
        ("tier_bytes", _BY_TYPE, "Bytes that a tier holds, as it counts them.", _each_type(lambda t: t.bytes)),
        ("tier_puts_total", ("tier",), "Entries that a tier accepted.", _each_tier(lambda t: t.puts)),
        ("tier_errors_total", ("tier",), "Operations that the backend of a tier failed.", _each_tier(lambda t: t.errors)),
        ("tier_skips_total", (), "Times that the read path went on without a tier because it failed.", _one(lambda s: s.read.tier_errors)),
        ("loads_total", (), "Loads from origins.", _one(lambda s: s.read.loads)),
        ("loads_joined_total", (), "Times that a request waited for the load of another.", _one(lambda s: s.read.joined)),
        ("loads_in_flight", (), "Loads that run now.", _one(lambda s: s.read.in_flight)),
        ("revalidated_total", (), "Expired entries that were served at once while they were fetched anew.", _one(lambda s: s.read.revalidated)),
        ("refreshes_total", (), "Keys that were fetched anew before they expired.", _one(lambda s: s.refresh.refreshes)),
        ("refresh_loads_total", (), "Loads for that.", _one(lambda s: s.refresh.loads)),
        ("refresh_calls_total", (), "Their call attempts; they are in `weedhounds_origin_calls_total` too.", _one(lambda s: s.refresh.calls)),
        ("refresh_failed_total", (), "Keys that could not be fetched anew before they expired.", _one(lambda s: s.refresh.failed)),
        ("refresh_skipped_total", (), "Keys that expired because their origin's budget left nothing for them.", _one(lambda s: s.refresh.skipped_budget)),
        ("hot_keys", (), "Keys whose demand is followed.", _one(lambda s: s.refresh.hot_keys)),
        ("refreshes_planned", (), "Keys that wait to be fetched anew.", _one(lambda s: s.refresh.planned)),
        ("refreshes_in_flight", (), "Loads of refresh-ahead that run now.", _one(lambda s: s.refresh.in_flight)),
        ("negative_entries", (), "Absences that are remembered.", _one(lambda s: s.read.negative_entries)),
        ("negative_served_total", (), "Times that a remembered absence was the answer.", _one(lambda s: s.read.negative_served)),
        ("origin_calls_total", ("origin",), "Call attempts that went out, retries included.", _each_origin(lambda o: o.calls)),
        ("origin_retries_total", ("origin",), "Attempts that repeated one.", _each_origin(lambda o: o.retries)),
        ("origin_rate_limited_total", ("origin",), "Answers with status 429.", _each_origin(lambda o: o.rate_limited)),
        ("origin_received_bytes_total", ("origin",), "Bytes of answers, decompressed.", _each_origin(lambda o: o.bytes)),
        ("origin_errors_total", ("origin", "class"), "Calls that failed, by class of error.", _origin_errors),
        ("origin_tokens", ("origin",), "Calls that the budget allows at once now.", _each_origin(lambda o: o.tokens)),
        ("origin_calls_in_flight", ("origin",), "Calls that run now.", _each_origin(lambda o: o.in_flight)),
        ("origin_calls_waiting", ("origin",), "Calls that wait for the budget.", _each_origin(lambda o: o.waiting)),
        ("origin_rate_per_second", ("origin",), "Calls a second that the budget gives now: less than is set where the origin did not bear that.", _each_origin(lambda o: o.rate_per_s)),
        ("origin_day_calls_left", ("origin",), "Calls left of the daily budget, where one is set.", _day_left),
        ("origin_challenged_total", ("origin",), "Pages of a bot guard in place of an answer.", _each_origin(lambda o: o.challenged)),
        ("origin_breaker_shut", ("origin",), "1 while calls are refused because the origin fails, else 0.", _each_origin(lambda o: o.breaker is not BreakerState.CLOSED)),
        ("origin_breaker_opened_total", ("origin",), "Times that calls began to be refused so.", _each_origin(lambda o: o.breaker_opened)),
        ("origin_breaker_refused_total", ("origin",), "Calls that were refused so.", _each_origin(lambda o: o.breaker_refused)),
        ("origin_hedges_total", ("origin",), "Calls sent a second time because the first took unusually long.", _each_origin(lambda o: o.hedges)),
        ("origin_hedges_won_total", ("origin",), "Of them, those answered before the first.", _each_origin(lambda o: o.hedges_won)),
        ("origin_connections_total", ("origin", "class"), "Requests by their connection: `new` or `reused`.", _connections),
        ("learner_keys", (), "Keys that the learner of lifetimes knows.", _one(lambda s: s.learning.keys)),
        ("learner_decisions_total", (), "Lifetimes decided.", _one(lambda s: s.learning.decisions)),
        ("learner_compared_total", (), "Fetches that could be compared with the one before.", _one(lambda s: s.learning.compared)),
        ("learner_changed_total", (), "Of them, those that differed.", _one(lambda s: s.learning.changed)),
        ("origin_call_price", ("origin",), "What a call is worth now, in stale answers.", _call_prices),
        ("history_observations_total", (), "Price lists handed to the history.", _one(lambda s: s.history.observations)),
        ("history_unchanged_total", (), "Of them, those that changed nothing.", _one(lambda s: s.history.unchanged)),
        ("history_rows_total", (), "Changes of price or stock appended, baselines included.", _one(lambda s: s.history.rows)),
        ("history_expired_rows_total", (), "Changes dropped after their retention.", _one(lambda s: s.history.expired_rows)),
        ("history_skipped_total", (), "Price lists that could not be recorded.", _one(lambda s: s.history.skipped)),
        ("history_lost_total", (), "Price lists given up because the store failed or too many waited.", _one(lambda s: s.history.lost)),
        ("history_failures_total", (), "Operations that the history's store failed.", _one(lambda s: s.history.failures)),
        ("history_waiting", (), "Price lists that wait to be recorded.", _one(lambda s: s.history.waiting)),
        ("pool_workers", (), "Job processes.", _one(lambda s: s.pool.workers)),
        ("pool_tasks_total", (), "Answers read in job processes.", _one(lambda s: s.pool.tasks)),
        ("pool_inline_total", (), "Answers read on the event loop.", _one(lambda s: s.pool.inline)),
        ("pool_crashes_total", (), "Job processes that ended under an answer.", _one(lambda s: s.pool.crashes)),
        ("pool_timeouts_total", (), "Answers that took too long to read.", _one(lambda s: s.pool.timeouts)),
        ("pool_waiting", (), "Answers that wait for a job process.", _one(lambda s: s.pool.waiting)),
    )
)  # fmt: skip


def _tier_latency(stats: NodeStats) -> Iterable[Timing]:
    return (((name,), tier.latency) for name, tier in stats.tiers.items() if tier.latency is not None)


def _origin_latency(stats: NodeStats) -> Iterable[Timing]:
    return (((name,), origin.latency) for name, origin in stats.origins.items())


_TIMINGS: tuple[tuple[Described, Callable[[NodeStats], Iterable[Timing]]], ...] = (
    (
        Described("weedhounds_tier_latency_seconds", "histogram", ("tier",), "Time that a tier took to answer a read."),
        _tier_latency,
    ),
    (
        Described("weedhounds_origin_latency_seconds", "histogram", ("origin",), "Time that an origin took to answer."),
        _origin_latency,
    ),
)

METRICS: tuple[Described, ...] = tuple(described for described, _ in (*_NUMBERS, *_TIMINGS))
"""Every metric, in the order in which they are shown."""


class Figures(Collector):
    """The metrics of one moment."""

    def __init__(self, stats: NodeStats) -> None:
        self._stats = stats

    def collect(self) -> Iterator[Metric]:
        """Yield each metric with its samples."""
        for described, read in _NUMBERS:
            kind = CounterMetricFamily if described.kind == "counter" else GaugeMetricFamily
            family = kind(described.name, described.meaning, labels=described.labels)
            for labels, value in read(self._stats):
                family.add_metric(labels, value)
            yield family
        for described, times in _TIMINGS:
            histogram = HistogramMetricFamily(described.name, described.meaning, labels=described.labels)
            for labels, summary in times(self._stats):
                histogram.add_metric(labels, buckets=_cumulative(summary), sum_value=summary.sum_s)
            yield histogram


def _cumulative(summary: LatencySummary) -> list[tuple[str, float]]:
    """Return the buckets as Prometheus wants them: how many took at most so long."""
    buckets, seen = [], 0
    for bound, count in summary.buckets.items():
        seen += count
        buckets.append(("+Inf" if math.isinf(float(bound)) else bound, float(seen)))
    return buckets


def exposition(stats: NodeStats) -> bytes:
    """Return the figures in Prometheus' text format, version 0.0.4."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(Figures(stats))
    return generate_latest(registry)


_TEXT = ResponseSpec(str, media_type="text/plain", description="The metrics as text.", generate_examples=False)


@get(
    "/metrics",
    operation_id="metrics",
    summary="Figures of the node for Prometheus",
    media_type="text/plain",
    responses={200: _TEXT, **documented()},
)
async def metrics(node: NodeDependency) -> Response[bytes]:
    """Return the figures of ``/v1/stats`` as metrics, in Prometheus' text format."""
    headers = {"cache-control": "no-store"}
    return Response(exposition(node.stats()), media_type=TEXT_FORMAT, headers=headers)
