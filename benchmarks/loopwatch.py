"""Watches an event loop from inside: how late a heartbeat is, and whose fault that was.

A heartbeat that is late means that nothing else could run in the loop meanwhile. Late is not
always blocked: the thread may have had work of its own, waited for the interpreter's lock while
another thread of the process held it, or stood ready while the machine ran something else.
"""

from __future__ import annotations

import asyncio
import gc
import os
import sys
import threading
import time
from collections import Counter
from contextlib import suppress
from types import FrameType

import msgspec

BEAT_S = 0.001
LATE_MS = 20.0
STACK_AFTER_S = 0.015
NOTED_S = 0.002
"""How late a beat is that is kept, and how long a collection."""
MAX_BEATS = 5_000
"""Late beats, and collections, kept between two reports."""


class Beat(msgspec.Struct, frozen=True, kw_only=True):
    """One late heartbeat, milliseconds.

    Args:
        late: how much later than asked it came.
        own: processor time of the loop's thread meanwhile.
        others: processor time of the process's other threads meanwhile.
        queued: time that the loop's thread stood ready and another process had the core.
        collecting: time in which a garbage collection ran, in whatever thread.
    """

    late: float
    own: float
    others: float
    queued: float
    collecting: float

    @property
    def blocked(self) -> float:
        """Return the part of the lateness that this process made itself."""
        return max(0.0, self.late - self.queued)


class _Late(msgspec.Struct, frozen=True):
    """A late beat as it was noted: from when to when (seconds), and the three clocks' seconds."""

    began_s: float
    ended_s: float
    own_s: float
    process_s: float
    queued_s: float

    def told(self, collections: list[tuple[float, float]]) -> Beat:
        """Return the beat; collections in other threads are known only once they have ended."""
        overlaps = (min(self.ended_s, ended_s) - max(self.began_s, began_s) for began_s, ended_s in collections)
        return Beat(
            late=1000 * (self.ended_s - self.began_s - BEAT_S),
            own=1000 * self.own_s,
            others=1000 * max(0.0, self.process_s - self.own_s),
            queued=1000 * self.queued_s,
            collecting=1000 * sum(overlap for overlap in overlaps if overlap > 0),
        )


class Report(msgspec.Struct, kw_only=True):
    """What was seen since the last report.

    Args:
        beats: how many heartbeats there were.
        late: those over 2 ms, the latest first, at most 5,000.
        collections_ms: the longest garbage collection of each generation.
        stacks: what the loop's thread was doing when a beat was over 15 ms late, and how often.
    """

    beats: int = 0
    late: list[Beat] = []
    collections_ms: list[float] = []
    stacks: list[tuple[str, int]] = []


class LoopWatch:
    """Beats in the running loop; call :meth:`run` as a task there.

    Args:
        with_stacks: let a thread sample the stack of late beats; it disturbs what it watches.
    """

    def __init__(self, *, with_stacks: bool = False) -> None:
        self._with_stacks = with_stacks
        self._beats = 0
        self._late: list[_Late] = []
        self._collections_ms = [0.0, 0.0, 0.0]
        self._collections: list[tuple[float, float]] = []
        self._collection_began_s = 0.0
        self._stacks: Counter[str] = Counter()
        self._beat_s = time.perf_counter()
        self._is_running = False

    async def run(self) -> None:
        """Beat until cancelled."""
        gc.callbacks.append(self._collection)
        queue = os.open("/proc/thread-self/schedstat", os.O_RDONLY)
        self._is_running = True
        if self._with_stacks:
            threading.Thread(target=self._sample, args=(threading.get_ident(),), daemon=True).start()
        try:
            while True:
                await self._beat(queue)
        finally:
            self._is_running = False
            gc.callbacks.remove(self._collection)
            os.close(queue)

    def report(self) -> Report:
        """Return what was seen since the last report."""
        late = sorted((beat.told(self._collections) for beat in self._late), key=lambda beat: -beat.late)
        report = Report(
            beats=self._beats, late=late, collections_ms=self._collections_ms, stacks=self._stacks.most_common(12)
        )
        self._beats, self._late, self._collections, self._collections_ms = 0, [], [], [0.0, 0.0, 0.0]
        self._stacks = Counter()
        return report

    async def _beat(self, queue: int) -> None:
        queued_s, own_s, process_s = _queued_s(queue), time.thread_time(), time.process_time()
        self._beat_s = began_s = time.perf_counter()
        await asyncio.sleep(BEAT_S)
        ended_s = time.perf_counter()
        self._beats += 1
        if ended_s - began_s > BEAT_S + NOTED_S and len(self._late) < MAX_BEATS:
            own_s, process_s = time.thread_time() - own_s, time.process_time() - process_s
            self._late.append(_Late(began_s, ended_s, own_s, process_s, _queued_s(queue) - queued_s))

    def _collection(self, phase: str, info: dict[str, int]) -> None:
        now_s = time.perf_counter()
        if phase == "start":
            self._collection_began_s = now_s
            return
        took_s, generation = now_s - self._collection_began_s, info["generation"]
        self._collections_ms[generation] = max(self._collections_ms[generation], 1000 * took_s)
        if took_s > NOTED_S and len(self._collections) < MAX_BEATS:
            self._collections.append((self._collection_began_s, now_s))

    def _sample(self, thread: int) -> None:
        while self._is_running:
            time.sleep(0.003)
            if time.perf_counter() - self._beat_s > STACK_AFTER_S + BEAT_S:
                frame = sys._current_frames().get(thread)
                self._stacks[_told(frame)] += 1


def _queued_s(schedstat: int) -> float:
    """Return the seconds that the thread has stood ready without running (0 where the kernel does not tell)."""
    with suppress(ValueError, IndexError):
        return int(os.pread(schedstat, 64, 0).split()[1]) / 1e9
    return 0.0


def _told(frame: FrameType | None) -> str:
    """Return the innermost functions of a stack, innermost first, at most six."""
    names: list[str] = []
    while frame is not None and len(names) < 6:
        code = frame.f_code
        names.append(f"{os.path.basename(code.co_filename)}:{code.co_name}")
        frame = frame.f_back
    return " < ".join(names)
