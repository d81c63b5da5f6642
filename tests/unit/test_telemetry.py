"""Logging, request ids, traces, counters and histograms."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest
import structlog

from weedhounds.telemetry import (
    MAX_NAMES,
    Counters,
    Histogram,
    Trace,
    bind_request_id,
    configure_logging,
    get_logger,
    request_id,
)


@pytest.fixture(autouse=True)
def _restored_logging() -> Iterator[None]:
    root, own = logging.getLogger(), logging.getLogger("weedhounds")
    handlers, level, own_level = root.handlers[:], root.level, own.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    own.setLevel(own_level)
    structlog.reset_defaults()


def lines(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    out, err = capsys.readouterr()
    assert out == ""
    return [json.loads(line) for line in err.splitlines()]


def test_log_lines_go_to_stderr_as_json_with_the_request_id(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging("info", "json")
    with bind_request_id("r-1"):
        get_logger("weedhounds.test").info("hunt", offers=3)
    get_logger("weedhounds.test").info("idle")
    first, second = lines(capsys)
    assert (first["event"], first["offers"], first["request_id"], first["level"]) == ("hunt", 3, "r-1", "info")
    assert "request_id" not in second


def test_console_lines_hold_event_and_values(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging("info", "console")
    get_logger("weedhounds.test").info("hunt", offers=3)
    out, err = capsys.readouterr()
    assert out == ""
    assert "hunt" in err
    assert "offers=3" in err


def test_lines_below_the_level_are_not_written(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging("warning", "json")
    get_logger("weedhounds.test").info("quiet")
    get_logger("weedhounds.test").warning("loud")
    assert [line["event"] for line in lines(capsys)] == ["loud"]


def test_lines_of_libraries_have_the_same_form(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging("debug", "json")
    logging.getLogger("aiohttp.client").info("below warning: silent")
    logging.getLogger("aiohttp.client").warning("asked %s", "https://example.org/a?api_key=s3cret")
    (line,) = lines(capsys)
    assert line["event"] == "asked https://example.org/a?***"


@pytest.mark.parametrize("form", ["json", "console"])
def test_secrets_are_never_written(capsys: pytest.CaptureFixture[str], form: Any) -> None:
    configure_logging("debug", form)
    log = get_logger("weedhounds.test")
    log.info(
        "call",
        api_key="s3cret",
        keys_token="s3cret",
        headers={"Authorization": "Bearer s3cret", "X-Algolia-API-Key": "s3cret", "accept": "json"},
        deep={"a": {"b": {"password": "s3cret"}}},
        url="https://user:s3cret@example.org/p?token=s3cret",
        key="dispensary_menu:jane:7",
    )
    try:
        secret_local = "s3cret"
        raise ValueError(f"no answer from https://example.org/q?k={secret_local}")
    except ValueError:
        log.exception("failed")
    _, err = capsys.readouterr()
    assert "s3cret" not in err
    assert "dispensary_menu:jane:7" in err
    assert "no answer from" in err


async def test_tasks_inherit_the_request_id_and_requests_do_not_mix() -> None:
    async def inner() -> str | None:
        await asyncio.sleep(0)
        return request_id()

    async def request(name: str) -> str | None:
        with bind_request_id(name):
            return await asyncio.create_task(inner())

    one, other = await asyncio.gather(request("a"), request("b"))
    assert (one, other) == ("a", "b")
    assert request_id() is None


def test_a_request_id_from_outside_is_cut_and_a_missing_one_is_made() -> None:
    with bind_request_id("x" * 500) as long:
        assert len(long) == 64
    with bind_request_id() as one, bind_request_id() as other:
        assert one != other


def test_a_trace_counts_calls_records_and_progress() -> None:
    told: list[tuple[int, int]] = []
    trace = Trace(on_progress=lambda done, known: told.append((done, known)))
    trace.called()
    trace.called()
    trace.found("sql", 3)
    trace.found("origin")
    trace.loads_started(2)
    trace.load_done()
    assert trace.origin_calls == 2
    assert trace.by_tier == {"memory": 0, "sql": 3, "peers": 0, "origin": 1}
    assert told == [(0, 2), (1, 2)]


def test_counters_are_bounded_in_names() -> None:
    counters = Counters()
    for n in range(3 * MAX_NAMES):
        counters.add(f"name {n}")
    counters.add("name 0", 5)
    assert len(counters.snapshot()) == MAX_NAMES
    assert counters["name 0"] == 6
    assert sum(counters.snapshot().values()) == 3 * MAX_NAMES + 5


def test_quantiles_lie_in_the_bucket_of_their_observations() -> None:
    histogram = Histogram()
    for _ in range(98):
        histogram.observe(0.03)
    histogram.observe(0.7)
    histogram.observe(60.0)
    summary = histogram.summary()
    assert summary.count == 100
    assert 0.02 <= summary.p50_s <= 0.05
    assert 0.5 <= summary.p99_s <= 0.75
    assert summary.max_s == 60.0
    assert sum(summary.buckets.values()) == 100
    assert summary.buckets["inf"] == 1


def test_an_empty_histogram_has_zeros_and_a_clock_that_jumps_back_counts_as_zero() -> None:
    histogram = Histogram()
    assert histogram.quantile(0.5) == 0.0
    histogram.observe(-5.0)
    assert histogram.summary().max_s == 0.0
