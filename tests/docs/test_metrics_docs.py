"""The reference of metrics lists every metric with its type, labels and meaning, as the code has them."""

from __future__ import annotations

import re

from docpages import page

from weedhounds.api.metrics import METRICS, UNTOLD
from weedhounds.telemetry import LATENCY_BOUNDS_S, TIER_BOUNDS_S

PAGE = page("docs/reference/metrics.md")


def test_the_table_is_the_codes() -> None:
    rows = [row for row in PAGE.rows(4) if row[0].startswith("`weedhounds_")]
    assert rows == [[f"`{m.name}`", m.kind, " ".join(f"`{label}`" for label in m.labels), m.meaning] for m in METRICS]


def test_every_metric_named_anywhere_on_the_page_exists() -> None:
    named = set(re.findall(r"weedhounds_\w+", PAGE.text))
    assert named == {metric.name for metric in METRICS}


def test_every_label_is_explained() -> None:
    told = {row[0].strip("`") for row in PAGE.rows(2) if row[0].startswith("`")}
    assert told == {label for metric in METRICS for label in metric.labels}
    assert f"`{UNTOLD}`" in PAGE.text


def test_names_are_prometheus_own_style() -> None:
    for metric in METRICS:
        assert re.fullmatch(r"weedhounds(_[a-z]+)+", metric.name)
        assert metric.name.endswith("_total") is (metric.kind == "counter")
        assert metric.meaning.endswith(".")


def test_the_bounds_of_buckets_are_the_codes() -> None:
    assert (TIER_BOUNDS_S[0], TIER_BOUNDS_S[-1]) == (0.000_01, 5.0)
    assert (LATENCY_BOUNDS_S[0], LATENCY_BOUNDS_S[-1]) == (0.001, 10.0)
    assert "10 microseconds to 5 seconds" in PAGE.text
    assert "1 millisecond to 10 seconds" in PAGE.text
