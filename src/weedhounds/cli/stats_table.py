"""A node's figures as tables for a person."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from weedhounds.cli.tables import Column, render_table
from weedhounds.cli.text import age, counted, one_line, share, size, time

if TYPE_CHECKING:
    from weedhounds.cache.meter import RequestStats
    from weedhounds.cache.tier import TierStats, TypeStats
    from weedhounds.node import NodeStats
    from weedhounds.telemetry import LatencySummary

_REQUESTS = (
    Column("data type"),
    Column("requests", "right"),
    Column("hits", "right"),
    Column("ratio", "right"),
    Column("loaded", "right", 1),
    Column("stale", "right", 1),
    Column("missing", "right", 1),
)
_TIERS = (
    Column("tier"),
    Column("data type"),
    Column("hits", "right"),
    Column("misses", "right"),
    Column("ratio", "right"),
    Column("stale", "right", 2),
    Column("evicted", "right", 2),
    Column("entries", "right", 1),
    Column("size", "right", 1),
    Column("p50", "right", 3),
    Column("p99", "right", 3),
)
_ORIGINS = (
    Column("origin"),
    Column("calls", "right"),
    Column("retries", "right", 2),
    Column("429", "right", 1),
    Column("errors", "right"),
    Column("received", "right", 2),
    Column("p50", "right", 1),
    Column("p99", "right", 1),
)
_BUDGETS = (
    Column("origin"),
    Column("calls/s", "right"),
    Column("tokens", "right", 1),
    Column("day left", "right"),
    Column("breaker"),
    Column("opened", "right", 2),
    Column("challenged", "right", 2),
    Column("hedged", "right", 1),
    Column("won", "right", 3),
    Column("reused", "right", 3),
)


def node_text(stats: NodeStats, url: str, width: int | None) -> str:
    """Return the tables of requests, tiers and origins of a running node, and its other figures in lines below.

    Args:
        width: cells of a terminal, or ``None`` for plain text.
    """
    parts = [f"node at {one_line(url)}, up {age(stats.uptime_s)}\n"]
    if stats.read.by_type:
        parts.append(render_table(_REQUESTS, list(_request_rows(stats)), width))
    parts.append(render_table(_TIERS, list(_tier_rows(stats)), width))
    if stats.origins:
        parts.append(render_table(_ORIGINS, list(_origin_rows(stats)), width))
        parts.append(render_table(_BUDGETS, list(_budget_rows(stats)), width))
    return "\n".join([*parts, "".join(f"{line}\n" for line in _lines(stats))])


def folder_text(stats: NodeStats, folder: str, width: int | None) -> str:
    """Return what a data folder holds, as the node that was started on it just now tells."""
    rows = [(*row[:2], *row[7:9]) for row in _tier_rows(stats) if row[0] != "memory"]
    columns = (*_TIERS[:2], *_TIERS[7:9])
    return f"data folder {one_line(folder)}\n\n{render_table(columns, rows, width)}"


def _request_rows(stats: NodeStats) -> Iterator[tuple[str, ...]]:
    for name, each in stats.read.by_type.items():
        yield _request_row(name, each)
    yield _request_row("all", stats.read.requests)


def _request_row(name: str, each: RequestStats) -> tuple[str, ...]:
    counts = (each.loaded, each.stale, each.missing)
    return (name, f"{each.requests:,}", f"{each.hits:,}", share(each.hit_ratio), *(f"{count:,}" for count in counts))


def _tier_rows(stats: NodeStats) -> Iterator[tuple[str, ...]]:
    for name, tier in stats.tiers.items():
        for data_type, each in tier.by_type.items():
            yield (name, data_type, *_tier_cells(each), "", "")
        yield (name, "all", *_tier_cells(tier), *_quantiles(tier.latency))


def _tier_cells(each: TierStats | TypeStats) -> Iterable[str]:
    told = ("" if count is None else f"{count:,}" for count in (each.stale, each.evictions, each.entries))
    held = "" if each.bytes is None else size(each.bytes)
    return (f"{each.hits:,}", f"{each.misses:,}", share(each.hit_ratio), *told, held)


def _quantiles(latency: LatencySummary | None) -> tuple[str, str]:
    return ("", "") if latency is None or not latency.count else (time(latency.p50_s), time(latency.p99_s))


def _origin_rows(stats: NodeStats) -> Iterator[tuple[str, ...]]:
    for name, each in stats.origins.items():
        counts = (each.calls, each.retries, each.rate_limited, sum(each.errors.values()))
        yield (name, *(f"{count:,}" for count in counts), size(each.bytes), *_quantiles(each.latency))


def _budget_rows(stats: NodeStats) -> Iterator[tuple[str, ...]]:
    for name, each in stats.origins.items():
        connections = each.connections_new + each.connections_reused
        counts = (each.breaker_opened, each.challenged, each.hedges, each.hedges_won)
        yield (
            name,
            f"{each.rate_per_s:.3g}",
            f"{each.tokens:.0f}",
            "" if each.day_left is None else f"{each.day_left:,}",
            each.breaker.value.replace("_", "-"),
            *(f"{count:,}" for count in counts),
            share(each.connections_reused / connections) if connections else "",
        )


def _lines(stats: NodeStats) -> Iterator[str]:
    read, history, pool = stats.read, stats.history, stats.pool
    yield (
        f"loads: {read.loads:,}, {read.joined:,} joined, {read.in_flight:,} running; "
        f"negative entries: {read.negative_entries:,}; tiers skipped: {counted(read.tier_errors, 'time')}"
    )
    learning = stats.learning
    yield (
        f"lifetimes: {counted(learning.decisions, 'decision')}, {learning.changed:,} of {learning.compared:,} fetches "
        f"found a change; {read.revalidated:,} served while fetched anew"
    )
    refresh = stats.refresh
    yield (
        f"refresh-ahead: {counted(refresh.refreshes, 'key')} with {counted(refresh.calls, 'call')}, "
        f"{refresh.failed:,} failed, {refresh.skipped_budget:,} left out for the budget; "
        f"{counted(refresh.hot_keys, 'hot key')}, {refresh.planned:,} planned"
    )
    yield (
        f"price history: {counted(history.rows, 'change')} of {counted(history.observations, 'price list')} kept, "
        f"{history.expired_rows:,} past their retention, {history.waiting:,} waiting, "
        f"{history.skipped + history.lost:,} not kept"
    )
    yield (
        f"parsing: {counted(pool.workers, 'job process', 'job processes')}, {counted(pool.tasks, 'answer')} there and "
        f"{pool.inline:,} on the event loop, {pool.waiting:,} waiting, {counted(pool.crashes, 'crash', 'crashes')}"
    )
