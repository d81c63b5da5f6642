"""The benchmarks' own arithmetic: lower bounds, verdicts, the page, the watch of the event loop."""

from __future__ import annotations

import asyncio
import doctest
import random
import sys
import time
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent.parent.parent / "benchmarks"))

import machine
import report
import run_all
from bounds import Bound, LoggedCall, hunt_bounds, origin_bound
from loopwatch import LoopWatch, Report
from report import Figure, Result, at_least, at_most, exactly, told, under

from weedhounds.sources.base import Budget

WIDE = Budget(burst=100, rate_per_s=100.0, concurrency=100)


def _call(kind: str, latency_ms: float, *, target: str | None = None, page: int = 0, status: int = 200) -> LoggedCall:
    return LoggedCall("dutchie", kind, 0.0, latency_ms, status, 0, target, page)


def _bound(calls: list[LoggedCall], budget: Budget = WIDE) -> Bound:
    return origin_bound("dutchie", calls, budget)


def test_the_critical_path_is_search_then_first_page_then_the_slowest_further_page() -> None:
    shop = [
        _call("menu", 200, target="a"),
        _call("menu", 50, target="a", page=1),
        _call("menu", 300, target="a", page=2),
    ]
    bound = _bound([_call("near", 100), *shop, _call("promotions", 400, target="a")])
    assert bound.critical_s == pytest.approx(0.6)
    assert bound.schedule_s == pytest.approx(0.6)
    assert bound.name == "critical path"


def test_further_pages_of_a_search_lengthen_the_search() -> None:
    bound = _bound([_call("near", 100), _call("near", 200, page=1), _call("menu", 50, target="a")])
    assert bound.critical_s == pytest.approx(0.35)


def test_a_strain_call_waits_for_no_search() -> None:
    bound = _bound([_call("near", 100), _call("menu", 100, target="a"), _call("strain", 900)])
    assert bound.critical_s == pytest.approx(0.9)
    assert bound.schedule_s == pytest.approx(0.9)


def test_few_calls_in_flight_bound_the_work() -> None:
    shops = [_call("menu", 100, target=str(n)) for n in range(10)]
    bound = _bound([_call("near", 100), *shops], Budget(burst=100, rate_per_s=100.0, concurrency=2))
    assert bound.concurrency_s == pytest.approx(0.6)
    assert bound.schedule_s == pytest.approx(0.6)
    assert bound.name == "concurrency"


def test_an_empty_bucket_bounds_the_last_call() -> None:
    shops = [_call("menu", 100, target=str(n)) for n in range(4)]
    bound = _bound([_call("near", 1000), *shops], Budget(burst=2, rate_per_s=1.0, concurrency=100))
    assert bound.tokens_s == pytest.approx(1 + 2 + 0.1)  # full again after the search; the fourth call waits for two
    assert bound.schedule_s == pytest.approx(3.1)
    assert bound.name == "tokens"


def test_refused_calls_bound_nothing_and_the_latest_origin_comes_first() -> None:
    other = LoggedCall("jane", "near", 0.0, 700.0, 200, 0)
    bounds = hunt_bounds([_call("near", 100), _call("other", 9000, status=429), other], {"dutchie": WIDE, "jane": WIDE})
    assert [(bound.origin, bound.seconds) for bound in bounds] == [("jane", 0.7), ("dutchie", 0.1)]


@pytest.mark.parametrize("seed", range(20))
def test_no_schedule_is_faster_than_the_bound(seed: int) -> None:
    rng = random.Random(seed)
    calls = [_call("near", rng.uniform(10, 500))]
    for shop in range(rng.randint(1, 40)):
        pages = rng.randint(1, 4)
        calls += [_call("menu", rng.uniform(10, 900), target=str(shop), page=page) for page in range(pages)]
        calls.append(_call("promotions", rng.uniform(10, 900), target=str(shop)))
    budget = Budget(burst=rng.randint(1, 50), rate_per_s=rng.uniform(1, 40), concurrency=rng.randint(1, 32))
    bound = _bound(calls, budget)
    assert bound.schedule_s >= bound.seconds - 1e-6


def test_a_figure_is_judged_by_its_target() -> None:
    figures = [under("a", 3, 3), at_most("a", 3, 3), at_least("a", 2, 3), exactly("a", 1, 0), told("a", 1)]
    assert [figure.is_met for figure in figures] == [False, True, False, False, None]


def test_the_page_says_what_was_missed_and_what_failed() -> None:
    good = Result(title="Good", command="good.py", figures=[under("fast", 1, 2, "s"), under("small", 9, 2, "MB")])
    page = run_all.page(
        [("commit", "abc")], [good, Result(title="Bad", command="bad.py", error="no | luck")], is_quick=False
    )
    assert "Targets met: 1 of 2. Missed: small. Failed to run: Bad." in page
    assert "| small | < 2 MB | 9 MB |  | **missed** |" in page
    assert "**Failed:** no \\| luck" in page


def test_a_quick_run_says_that_it_gives_no_figures() -> None:
    assert "these are no figures" in run_all.page([], [], is_quick=True)


def test_sections_that_are_not_run_again_stay_with_their_own_commit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept, out = tmp_path / "kept.json", tmp_path / "figures.md"
    monkeypatch.setattr(run_all, "BENCHES", ("first", "second"))
    monkeypatch.setattr(
        run_all, "run", lambda bench, is_quick: Result(title=bench, command=bench, samples={"s": [1.0]})
    )
    for commit, only in (("abc", ["first", "second"]), ("def", ["second"])):
        monkeypatch.setattr(machine, "described", lambda _, c=commit: [("commit", c), ("date", "today")])
        assert run_all.main(["--out", str(out), "--kept", str(kept), "--only", *only]) == 0
    text = out.read_text()
    assert "`first` (took 0 s, today, commit abc)" in text
    assert "`second` (took 0 s, today, commit def)" in text
    assert "1.0" not in kept.read_text()


def test_a_benchmark_that_cannot_run_becomes_an_error_on_the_page() -> None:
    result = run_all.run("no_such_bench", is_quick=True)
    assert result.error is not None
    assert "No such file" in result.error


def test_text_and_markdown_show_the_same_cells() -> None:
    figure = Figure(name="calls", value=1234, unit="", spread="1 to 2", target="= 1", is_met=True)
    result = Result(title="T", command="c", figures=[figure], notes=["n"])
    for text in (report.as_text(result), report.as_markdown(result)):
        assert all(cell in text for cell in ("calls", "1,234", "1 to 2", "= 1", "met"))


def test_the_examples_in_the_report_module_hold() -> None:
    assert doctest.testmod(report).failed == 0
    assert doctest.testmod(report).attempted > 0


async def _watched(work_s: float, *, with_stacks: bool = False) -> Report:
    watch = LoopWatch(with_stacks=with_stacks)
    beating = asyncio.create_task(watch.run())
    await asyncio.sleep(0.01)
    until_s = time.thread_time() + work_s
    while time.thread_time() < until_s:
        pass
    await asyncio.sleep(0.01)
    beating.cancel()
    await asyncio.gather(beating, return_exceptions=True)
    return watch.report()


async def test_a_callback_that_keeps_the_loop_is_seen_as_its_own_work() -> None:
    seen = await _watched(0.06)
    assert seen.late[0].late >= 55
    assert seen.late[0].own >= 55
    assert seen.late[0].late - seen.late[0].blocked == pytest.approx(seen.late[0].queued, abs=1e-6)


async def test_the_stack_of_a_late_beat_names_who_keeps_the_loop() -> None:
    seen = await _watched(0.2, with_stacks=True)
    assert any("_watched" in stack for stack, _ in seen.stacks)
