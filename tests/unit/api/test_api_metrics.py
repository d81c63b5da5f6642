"""The metrics are the figures of ``/v1/stats``, in Prometheus' text format, with bounded labels."""

from __future__ import annotations

import httpx
import msgspec
from prometheus_client.parser import text_string_to_metric_families

from sample_answers import FakeNode, node_stats
from weedhounds.api.metrics import METRICS, UNTOLD, exposition
from weedhounds.cache.tier import TierStats, TypeStats
from weedhounds.model.datatypes import DataType
from weedhounds.node import NodeStats
from weedhounds.sources import ORIGINS
from weedhounds.telemetry import TIER_BOUNDS_S


def samples(stats: NodeStats) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    """Return every sample by name and labels."""
    families = text_string_to_metric_families(exposition(stats).decode())
    return {(s.name, frozenset(s.labels.items())): s.value for family in families for s in family.samples}


def value(stats: NodeStats, metric: str, /, **labels: str) -> float:
    return samples(stats)[f"weedhounds_{metric}", frozenset(labels.items())]


async def test_metrics_are_plain_text_that_nobody_keeps(client: httpx.AsyncClient) -> None:
    got = await client.get("/metrics")
    assert got.status_code == 200
    assert got.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    assert got.headers["cache-control"] == "no-store"
    assert b"weedhounds_uptime_seconds 90.0\n" in got.content


async def test_a_node_that_is_not_ready_has_no_metrics(client: httpx.AsyncClient, node: FakeNode) -> None:
    node.is_ready = False
    assert (await client.get("/metrics")).status_code == 503


def test_every_metric_is_declared_and_every_declared_one_is_there() -> None:
    text = exposition(node_stats()).decode()
    families = {f.name: f for f in text_string_to_metric_families(text)}
    told = {m.name.removesuffix("_total") if m.kind == "counter" else m.name: m for m in METRICS}
    assert set(families) == set(told)
    for name, family in families.items():
        assert family.type == told[name].kind
        assert family.documentation == told[name].meaning
        labels = {label for s in family.samples for label in s.labels} - {"le"}
        assert labels <= set(told[name].labels)


def test_the_figures_are_those_of_the_stats() -> None:
    stats = node_stats()
    menu = "dispensary_menu"
    assert value(stats, "tier_requests_total", tier="memory", data_type=menu, **{"class": "miss"}) == 2
    assert value(stats, "requests_total", data_type=menu, **{"class": "loaded"}) == 1
    assert value(stats, "requests_total", data_type=menu, **{"class": "missing"}) == 1
    assert value(stats, "origin_errors_total", origin="weedmaps", **{"class": "OriginUnavailable"}) == 1
    assert value(stats, "origin_rate_per_second", origin="weedmaps") == 2.0
    assert value(stats, "origin_day_calls_left", origin="weedmaps") == 37
    assert value(stats, "origin_breaker_shut", origin="weedmaps") == 1
    assert value(stats, "origin_connections_total", origin="weedmaps", **{"class": "reused"}) == 3
    assert value(stats, "history_rows_total") == 3
    assert value(stats, "pool_tasks_total") == 1


def test_an_origin_without_a_daily_budget_has_no_calls_left_of_it() -> None:
    stats = node_stats()
    unlimited = msgspec.structs.replace(stats.origins["weedmaps"], day_left=None)
    told = samples(msgspec.structs.replace(stats, origins={"weedmaps": unlimited}))
    assert not [name for name, _ in told if name == "weedhounds_origin_day_calls_left"]


def test_a_histogram_counts_upwards_and_ends_with_all() -> None:
    stats = node_stats()
    bounds = [f"{bound:g}" for bound in TIER_BOUNDS_S]
    counts = [value(stats, "tier_latency_seconds_bucket", tier="memory", le=le) for le in (*bounds, "+Inf")]
    assert counts == [0.0, 0.0, *([1.0] * 15)]
    assert value(stats, "tier_latency_seconds_count", tier="memory") == 1
    assert value(stats, "origin_latency_seconds_sum", origin="weedmaps") == 0.2


def test_what_a_tier_does_not_tell_apart_adds_up_all_the_same() -> None:
    by_type = {"promotions": TypeStats(entries=2, bytes=20)}
    stats = msgspec.structs.replace(
        node_stats(), tiers={"sql": TierStats(entries=5, bytes=50, evictions=7, by_type=by_type)}
    )
    assert value(stats, "tier_bytes", tier="sql", data_type="promotions") == 20
    assert value(stats, "tier_bytes", tier="sql", data_type=UNTOLD) == 30
    assert value(stats, "tier_evictions_total", tier="sql", data_type=UNTOLD) == 7


def test_labels_are_of_bounded_sets_alone() -> None:
    allowed = {
        "tier": {"memory", "sql", "peers"},
        "data_type": {*(t.value for t in DataType), UNTOLD},
        "origin": set(ORIGINS),
    }
    for _, labels in samples(node_stats()):
        for name, label in labels:
            assert label in allowed.get(name, {label})
    assert {name for metric in METRICS for name in metric.labels} == {*allowed, "class", "version"}
