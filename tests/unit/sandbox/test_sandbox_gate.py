"""Budgets, latency, errors and faults in front of an origin."""

from __future__ import annotations

from statistics import quantiles

import pytest

from weedhounds.clock import ManualClock
from weedhounds.errors import BadInput
from weedhounds.sandbox import SandboxConfig
from weedhounds.sandbox.config import ORIGINS
from weedhounds.sandbox.faults import HUGE_BYTES, huge_body, spoilt
from weedhounds.sandbox.gate import LOG_CALLS, Bucket, Call, Fault, Gate
from weedhounds.sandbox.http import Reply
from weedhounds.sandbox.terms import REAL_BUDGETS, budgets_of, terms_of
from weedhounds.sources.base import Budget


def make_gate(**options: object) -> Gate:
    return Gate(SandboxConfig(**options), 0.0)  # type: ignore[arg-type]


def finish(gate: Gate, origin: str = "jane") -> None:
    gate.leave(Call(origin, "menu", 0.0, 0.0, 200, 10))


def test_a_full_bucket_gives_its_burst_and_then_the_exact_wait() -> None:
    bucket = Bucket(Budget(burst=3, rate_per_s=0.5, concurrency=1), 0.0)
    assert [bucket.take(0.0) for _ in range(3)] == [0.0, 0.0, 0.0]
    assert bucket.take(0.0) == pytest.approx(2.0)
    assert bucket.take(1.5) == pytest.approx(0.5)
    assert bucket.take(2.0) == 0.0
    assert bucket.take(2.0) == pytest.approx(2.0)


def test_a_bucket_never_holds_more_than_its_burst() -> None:
    bucket = Bucket(Budget(burst=2, rate_per_s=10.0, concurrency=1), 0.0)
    assert [bucket.take(1000.0) for _ in range(3)][:2] == [0.0, 0.0]
    assert bucket.take(1000.0) > 0


def test_over_the_rate_a_call_is_refused_with_whole_seconds_to_wait() -> None:
    gate = make_gate(budgets="real")
    for _ in range(3):
        assert gate.enter("dutchie", 0.0).retry_after_s == 0
        finish(gate, "dutchie")
    assert gate.enter("dutchie", 0.0).retry_after_s == 7
    finish(gate, "dutchie")
    assert gate.enter("dutchie", 4.5).retry_after_s == 3
    finish(gate, "dutchie")
    assert gate.enter("dutchie", 7.001).retry_after_s == 0


def test_the_default_budget_gives_80_calls_and_40_a_second() -> None:
    gate = make_gate()
    taken = 0
    for i in range(400):
        taken += gate.enter("leafly", i * 0.005).retry_after_s == 0
        finish(gate, "leafly")
    assert taken == pytest.approx(80 + 2.0 * 40, abs=1)


def test_over_the_concurrency_a_call_is_refused_until_one_has_left() -> None:
    gate = make_gate()
    for _ in range(32):
        assert gate.enter("jane", 0.0).retry_after_s == 0
    assert gate.enter("jane", 0.0).retry_after_s == 1
    finish(gate)
    finish(gate)
    assert gate.enter("jane", 0.0).retry_after_s == 0
    assert gate.enter("weedmaps", 0.0).retry_after_s == 0


def test_latencies_depend_on_the_seed_and_the_number_of_the_call_alone() -> None:
    first = [make_gate(seed=3).enter("jane", 0.0).latency_ms for _ in range(2)]
    gate = make_gate(seed=3)
    drawn = [gate.enter(origin, 0.0).latency_ms for origin in ("jane", "leafly", "jane")]
    assert first[0] == first[1] == drawn[0]
    assert len(set(drawn)) == 3
    assert make_gate(seed=4).enter("jane", 0.0).latency_ms != drawn[0]


def test_drawn_latencies_have_the_configured_quantiles() -> None:
    gate = make_gate()
    drawn = []
    for i in range(4000):
        drawn.append(gate.enter("jane", i * 1.0).latency_ms)
        finish(gate)
    cuts = quantiles(drawn, n=100)
    assert cuts[49] == pytest.approx(300, rel=0.05)
    assert cuts[98] == pytest.approx(1200, rel=0.15)


def test_the_share_of_errors_is_the_configured_one() -> None:
    gate = make_gate(error_frac=0.1)
    errors = 0
    for i in range(3000):
        errors += gate.enter("jane", i * 1.0).is_error
        finish(gate)
    assert errors / 3000 == pytest.approx(0.1, abs=0.02)


def test_a_fault_hits_its_share_of_the_calls_of_its_origin() -> None:
    gate = make_gate()
    gate.set_fault("jane", Fault("html", 0.25))
    hit = other = 0
    for i in range(2000):
        hit += gate.enter("jane", i * 1.0).fault == "html"
        finish(gate)
        other += gate.enter("leafly", i * 1.0).fault is not None
        finish(gate, "leafly")
    assert hit / 2000 == pytest.approx(0.25, abs=0.04)
    assert other == 0


def test_a_fault_of_all_origins_is_cleared_for_all() -> None:
    gate = make_gate()
    gate.set_fault("*", Fault("slow", slow_ms=5000))
    assert set(gate.faults) == set(ORIGINS)
    assert gate.enter("jane", 0.0).latency_ms >= 5000
    gate.set_fault("*", None)
    assert gate.faults == {}


def test_calls_that_a_fault_or_the_budget_refuses_are_counted_too() -> None:
    gate = make_gate()
    gate.set_fault("jane", Fault("down"))
    gate.set_fault("leafly", Fault("429"))
    assert gate.enter("jane", 0.0).fault == "down"
    assert gate.enter("leafly", 0.0).retry_after_s == 2
    assert gate.counts["jane"] == gate.counts["leafly"] == 1


def test_the_log_is_bounded_and_a_reset_clears_it() -> None:
    gate = make_gate()
    for i in range(LOG_CALLS + 5):
        gate.enter("jane", float(i))
        finish(gate)
    assert len(gate.log) == LOG_CALLS
    gate.set_fault("jane", Fault("down"))
    gate.reset(0.0)
    assert (len(gate.log), gate.faults, set(gate.counts.values())) == (0, {}, {0})


def test_a_reset_fills_the_buckets_and_starts_the_draws_anew() -> None:
    gate = make_gate(budgets="real")
    before = [gate.enter("dutchie", 0.0) for _ in range(4)]
    assert before[3].retry_after_s
    gate.reset(0.0)
    assert [gate.enter("dutchie", 0.0) for _ in range(4)] == before


def test_mixed_terms_have_one_origin_never_two_circle_and_the_rest_public() -> None:
    shares = [str(t.share) for t in terms_of(SandboxConfig()).values()]
    assert sorted(shares) == ["circle", "circle", "never", "public", "public"]
    assert {str(t.share) for t in terms_of(SandboxConfig(share="circle")).values()} == {"circle"}


def test_real_budgets_are_those_assumed_of_live_origins() -> None:
    assert budgets_of(SandboxConfig(budgets="real")) == REAL_BUDGETS
    assert REAL_BUDGETS["dutchie"].rate_per_s == pytest.approx(1 / 7)


@pytest.mark.parametrize(
    "wrong",
    [
        {"latency_median_ms": -1.0},
        {"latency_p99_ms": float("nan")},
        {"error_frac": 1.5},
        {"speed": 0.0},
        {"speed": float("inf")},
        {"share": "everyone"},
        {"budgets": "none"},
        {"port": 70_000},
        {"start_s": -5.0},
    ],
)
def test_a_value_out_of_range_is_refused_by_name(wrong: dict[str, object]) -> None:
    with pytest.raises(BadInput, match=next(iter(wrong))):
        SandboxConfig(**wrong).check()  # type: ignore[arg-type]


def test_a_huge_body_has_300_megabytes_in_small_chunks() -> None:
    chunks = huge_body(1_000_000)
    sizes = [len(chunk) for chunk in chunks]
    assert sum(sizes) == 1_000_000
    assert max(sizes) <= 65_536
    assert HUGE_BYTES == 300_000_000
    assert next(huge_body())[:1] == b"["


def test_garbage_is_the_same_for_the_same_call_and_is_no_json() -> None:
    reply = Reply(body=b'{"a":1}' * 100)
    assert spoilt(reply, "garbage", seed=1, number=5) == spoilt(reply, "garbage", seed=1, number=5)
    assert spoilt(reply, "garbage", seed=1, number=5) != spoilt(reply, "garbage", seed=1, number=6)


def test_the_manual_clock_drives_a_gate_without_waiting() -> None:
    clock = ManualClock()
    gate = Gate(SandboxConfig(budgets="real"), clock.monotonic())
    for _ in range(10):
        gate.enter("jane", clock.monotonic())
        finish(gate)
    assert gate.enter("jane", clock.monotonic()).retry_after_s == 1
    finish(gate)
    clock.advance(0.5)
    assert gate.enter("jane", clock.monotonic()).retry_after_s == 0
