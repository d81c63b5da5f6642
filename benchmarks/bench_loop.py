"""The longest time that nothing else could run in a node's event loop: cold, warm and restarted-warm hunts.

The node runs as ``weedhounds up`` runs it, with a heartbeat of a millisecond beside it in its
loop. This process asks over HTTP; the sandbox is a third one, the node's job process a fourth.
"""

from __future__ import annotations

import os
import signal
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import msgspec
from harness import DENVER, ROOT, Client, Options, Running, next_line, run_bench, sandbox, say, started
from loopwatch import LATE_MS, Beat, Report
from report import Figure, Result, Table, number, quantile, told, under

SEEDS = 5
AGAIN = 20
OTHER_QUESTIONS = ("gummies", "OG Kush", "")
REPORT_TIMEOUT_S = 30.0
COLD, WARM, OTHER, RESTARTED = "cold hunt", "same hunt again", "other questions, warm", "first hunt after a restart"


class Watched:
    """A node whose event loop is watched."""

    def __init__(self, running: Running) -> None:
        self._running = running
        self.client = Client(running.url)
        self.report()

    def report(self) -> Report:
        """Return what was seen in the loop since the last report."""
        os.kill(self._running.pid, signal.SIGUSR1)
        return msgspec.json.decode(next_line(self._running.stdout, REPORT_TIMEOUT_S), type=Report)

    def hunt(self, query: str = DENVER["q"], *, limit: int = 1000) -> None:
        """Hunt around Denver."""
        self.client.get("/v1/hunt", **{**DENVER, "q": query}, limit=str(limit))


def bench(options: Options) -> Result:
    """Measure all; ``repeats`` is the number of seeds. One more seed is run with the stacks of late beats."""
    count = options.repeats or (1 if options.is_quick else SEEDS)
    seen: dict[str, list[Report]] = {}
    for seed in range(1, count + 1):
        say(f"loop: seed {seed}")
        for name, report in _reports(seed, options, with_stacks=False):
            seen.setdefault(name, []).append(report)
    say("loop: with stacks")
    stacks = dict(_reports(count + 1, options, with_stacks=True))
    return Result(
        title="How long the event loop is blocked",
        command="benchmarks/bench_loop.py",
        figures=[figure for name, reports in seen.items() for figure in _figures(name, reports)],
        tables=[_worst(seen), _collections(seen)],
        notes=[*_NOTES, *_stack_notes(stacks)],
        samples={f"{name}, late ms": [b.late for r in reports for b in r.late] for name, reports in seen.items()},
    )


def _reports(seed: int, options: Options, *, with_stacks: bool) -> Iterator[tuple[str, Report]]:
    again = 5 if options.is_quick else AGAIN
    with tempfile.TemporaryDirectory() as folder, sandbox(seed=seed, is_quick=options.is_quick) as market:
        with _watched(market.url, Path(folder), with_stacks=with_stacks) as node:
            node.hunt()
            yield COLD, node.report()
            for n in range(again):
                node.hunt(limit=1000 if n % 2 else 200)
            yield WARM, node.report()
            for query in OTHER_QUESTIONS:
                node.hunt(query)
            yield OTHER, node.report()
        with _watched(market.url, Path(folder), with_stacks=with_stacks) as node:
            node.hunt()
            yield RESTARTED, node.report()


@contextmanager
def _watched(sandbox_url: str, data_dir: Path, *, with_stacks: bool) -> Iterator[Watched]:
    child = str(ROOT / "benchmarks" / "loop_child.py")
    with started(child, sandbox_url, str(data_dir), *(["--stacks"] if with_stacks else [])) as running:
        node = Watched(running)
        with node.client:
            yield node


def _figures(name: str, reports: Sequence[Report]) -> list[Figure]:
    late = [beat for report in reports for beat in report.late] or [_NONE]
    longest = [max((beat.blocked for beat in report.late), default=0.0) for report in reports]
    beats = sum(report.beats for report in reports)
    over = sum(beat.blocked > LATE_MS for beat in late)
    share = f"{over} of {beats:,} beats over {LATE_MS:g} ms; longest of each run {', '.join(map(number, longest))}"
    on_time = [0.0] * (beats - len(late))
    p999 = quantile([*on_time, *(beat.blocked for beat in late)], 0.999)
    return [
        under(f"{name}: blocked, max", max(beat.blocked for beat in late), LATE_MS, "ms", spread=share),
        told(f"{name}: blocked, p99.9 of the beats", p999, "ms"),
        told(f"{name}: late for whatever reason, max", max(beat.late for beat in late), "ms"),
    ]


_NONE = Beat(late=0.0, own=0.0, others=0.0, queued=0.0, collecting=0.0)


def _worst(seen: dict[str, list[Report]]) -> Table:
    rows = []
    for name, reports in seen.items():
        beats = sorted((beat for report in reports for beat in report.late), key=lambda beat: -beat.blocked)
        rows += [(name, *(f"{ms:.1f}" for ms in _parts(beat))) for beat in beats[:4]]
    columns = ("during", "late ms", "own work ms", "other threads ms", "no core free ms", "collecting ms")
    return Table(title="The longest blocks", columns=columns, rows=tuple(rows))


def _parts(beat: Beat) -> tuple[float, ...]:
    return beat.late, beat.own, beat.others, beat.queued, beat.collecting


def _collections(seen: dict[str, list[Report]]) -> Table:
    rows = []
    for name, reports in seen.items():
        longest = [max(report.collections_ms[n] for report in reports) for n in range(3)]
        rows.append((name, *(f"{ms:.1f}" for ms in longest)))
    columns = ("during", "youngest, longest ms", "middle ms", "oldest ms")
    return Table(title="Garbage collections", columns=columns, rows=tuple(rows))


def _stack_notes(stacks: dict[str, Report]) -> list[str]:
    return [
        f"{name}, sampled in late beats of one more seed ({count} times): {told}"
        for name, report in stacks.items()
        for told, count in report.stacks[:4]
    ]


_NOTES = [
    "Late: how much later than asked the heartbeat came. Blocked: the same without the time in which the loop's "
    "thread stood ready and another process had the core (the kernel's own account): this machine's cores are shared "
    "by node, job process, sandbox and client.",
    "Own work: processor time of the loop's thread. Other threads (matching, SQLite) hold the interpreter's lock in turn.",
]


if __name__ == "__main__":
    sys.exit(run_bench(bench, None))
