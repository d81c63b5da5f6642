"""Everything that is said of a trace: what it holds, the bounds, and a verdict on each policy. Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import msgspec

from weedhounds.sim.judge import Family, Figures, Judge, Verdict, figures_of
from weedhounds.sim.references import PriceReference, Reference
from weedhounds.sim.replay import ReplayOptions
from weedhounds.sim.trace import DAY_S, Trace

Progress = Callable[[int, int], None]
"""Told how many policies are judged, and of how many."""


class TraceSummary(msgspec.Struct, frozen=True, kw_only=True):
    """What a trace holds.

    Args:
        requests_counted: those after the warm-up.
        notes: what was mended while reading.
    """

    keys: int
    changes: int
    requests: int
    requests_counted: int
    days: float
    warmup_days: float
    is_bounded: bool
    notes: tuple[str, ...]


class Bound(msgspec.Struct, frozen=True, kw_only=True):
    """The clairvoyant, who knows every event.

    Args:
        curve: (calls, stale fraction), from few calls to many.
    """

    calls_at_fixed_stale: int
    calls_for_no_stale_serve: int
    stale_fraction_at_fixed_calls: float
    curve: tuple[tuple[int, float], ...]


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """The judgement of a trace.

    Args:
        fixed: the fixed table, at the first price.
        oracle: its costs by price, where the world's references are known.
    """

    trace: TraceSummary
    prices: tuple[float, ...]
    fixed: Figures
    clairvoyant: Bound
    oracle: dict[str, PriceReference]
    verdicts: tuple[Verdict, ...]


_CURVE_POINTS = 40


def judge_all(
    trace: Trace,
    families: Sequence[Family],
    *,
    reference: Reference | None = None,
    options: ReplayOptions | None = None,
    progress: Progress | None = None,
) -> Report:
    """Judge ``families`` on a trace, one after the other.

    Args:
        reference: the world's, for the oracle's costs; left out where it is of another warm-up.

    Raises:
        ConfigError: a policy failed; it names the policy and the call.
    """
    options = options or ReplayOptions()
    known = reference if reference is not None and reference.warmup_days == options.warmup_days else None
    judge = Judge(trace, oracle=known.oracle() if known else None, options=options)
    verdicts = []
    for done, family in enumerate(families):
        if progress is not None:
            progress(done, len(families))
        verdicts.append(judge.verdict(family))
    return Report(
        trace=_summary(trace, options, judge),
        prices=judge.prices,
        fixed=figures_of(judge.fixed, judge.prices[0]),
        clairvoyant=_bound(judge),
        oracle=known.by_price if known else {},
        verdicts=tuple(verdicts),
    )


def _summary(trace: Trace, options: ReplayOptions, judge: Judge) -> TraceSummary:
    return TraceSummary(
        keys=len(trace.items),
        changes=sum(map(len, trace.changes)),
        requests=len(trace.request_times),
        requests_counted=judge.fixed.requests,
        days=(trace.end - trace.start) / DAY_S,
        warmup_days=options.warmup_days,
        is_bounded=options.is_bounded,
        notes=tuple(trace.notes.told()),
    )


def _bound(judge: Judge) -> Bound:
    requests = max(1, judge.fixed.requests)
    most = judge.bound.calls_for_no_stale_serve
    calls = sorted({round(most ** (i / _CURVE_POINTS)) for i in range(_CURVE_POINTS + 1)}) if most else [0]
    return Bound(
        calls_at_fixed_stale=judge.bound.calls_at(judge.fixed.stale),
        calls_for_no_stale_serve=most,
        stale_fraction_at_fixed_calls=judge.bound.stale_at(judge.fixed.calls) / requests,
        curve=tuple((count, judge.bound.stale_at(count) / requests) for count in calls),
    )
