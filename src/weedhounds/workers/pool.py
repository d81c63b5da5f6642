"""A pool of job processes that read answers, so that the event loop never does for long.

Each worker is a standard executor of one process and runs one task at a time: a process that is
killed takes that task alone with it, and a task that runs past its limit can be ended by ending
its process. Small answers are read in the loop, one in each of its turns. Processes come from a
fork server that has loaded the parsers and nothing heavier.
"""

from __future__ import annotations

import asyncio
import contextlib
import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from types import ModuleType
from typing import Self, TypeVar, TypeVarTuple

import msgspec

from weedhounds.errors import TaskTimeout, WorkerCrashed, WorkerError
from weedhounds.pages import Filled, Page, decode_parsed, join_pages, parse_answer, read_page
from weedhounds.sources import source_class
from weedhounds.sources.base import Call, Kind, Load, Parsed, Source
from weedhounds.telemetry import get_logger
from weedhounds.workers import child

PRELOAD = (
    "weedhounds.workers.child",
    "weedhounds.sources.assemble",
    "weedhounds.sources.dutchie",
    "weedhounds.sources.jane",
    "weedhounds.sources.weedmaps",
    "weedhounds.sources.leafly",
    "weedhounds.sources.socrata_ct",
)
MAX_WAITING = 4096
"""Most tasks that wait for a worker."""
START_TIMEOUT_S = 30.0
DRAIN_S = 5.0
ATTEMPTS = 2
"""Tries of a task whose process ended under it."""

Args = TypeVarTuple("Args")
Result = TypeVar("Result")
log = get_logger("weedhounds.workers.pool")


class PoolStats(msgspec.Struct, frozen=True, kw_only=True):
    """Figures of the pool since start."""

    workers: int
    inline: int
    tasks: int
    crashes: int
    timeouts: int
    waiting: int


class ParsePool:
    """Reads answers in ``workers`` processes (0: in one thread), small ones in the loop.

    Args:
        inline_bytes: largest answer read in the loop (setting ``fetch.inline_parse_bytes``).
        task_timeout_s: longest time of one task; its process is ended then.

    Bounds: one task a worker, ``MAX_WAITING`` waiting ones.
    """

    def __init__(self, workers: int, *, inline_bytes: int = 64 * 1024, task_timeout_s: float = 30.0) -> None:
        self._inline_bytes = inline_bytes
        self._task_timeout_s = task_timeout_s
        self._workers = [_Worker(is_process=True) for _ in range(workers)] or [_Worker(is_process=False)]
        self._is_process = workers > 0
        self._idle: asyncio.LifoQueue[_Worker] = asyncio.LifoQueue()
        self._turn = asyncio.Lock()
        self._is_warm = self._is_closed = False
        self._starting = asyncio.Lock()
        self._waiting = 0
        self._inline = self._tasks = self._crashes = self._timeouts = 0

    async def __aenter__(self) -> Self:
        await self.warm()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def warm(self) -> None:
        """Start all workers and wait until they have loaded their modules."""
        async with self._starting:
            if self._is_warm:
                return
            await asyncio.gather(*(asyncio.to_thread(worker.start) for worker in self._workers))
            for worker in self._workers:
                self._idle.put_nowait(worker)
            self._is_warm = True

    async def close(self) -> None:
        """Let running tasks end (at most ``DRAIN_S``), and end the processes; the pool cannot be used again."""
        self._is_closed = True
        async with self._starting:
            stops = [asyncio.create_task(asyncio.to_thread(worker.stop)) for worker in self._workers]
            _, still_running = await asyncio.wait(stops, timeout=DRAIN_S)
            if still_running:
                for worker in self._workers:
                    worker.kill()
                await asyncio.wait(still_running, timeout=DRAIN_S)

    async def page(self, source: Source, load: Load, call: Call, body: bytes) -> Page:
        """Read one answer of a load; see :func:`weedhounds.pages.read_page`.

        Raises:
            SourceError: the answer cannot be used.
            WorkerCrashed, TaskTimeout: the process ended under it twice; it took too long.
        """
        if len(body) <= self._inline_bytes:
            return await self._in_loop(read_page, source, load, call, body)
        return child.PAGE.decode(await self._in_worker(child.page, source, load, call, body))

    async def join(self, load: Load, pages: Sequence[bytes]) -> tuple[Filled, ...]:
        """Join the pages of a load; see :func:`weedhounds.pages.join_pages`. Raises as :meth:`page`."""
        if sum(map(len, pages)) <= self._inline_bytes:
            return await self._in_loop(join_pages, load, pages)
        return child.FILLED.decode(await self._in_worker(child.join, load, pages))

    async def parse(self, origin: str, kind: Kind | None, body: bytes, currency: str = "USD") -> Parsed:
        """Parse one answer of ``origin``; see :meth:`weedhounds.sources.base.Source.parse`. Raises as :meth:`page`."""
        if len(body) <= self._inline_bytes:
            return await self._in_loop(parse_answer, source_class(origin), body, kind, currency)
        return decode_parsed(await self._in_worker(child.parse, origin, kind, body, currency))

    def stats(self) -> PoolStats:
        """Return the figures."""
        return PoolStats(
            workers=len(self._workers) if self._is_process else 0,
            inline=self._inline,
            tasks=self._tasks,
            crashes=self._crashes,
            timeouts=self._timeouts,
            waiting=self._waiting,
        )

    def process_ids(self) -> list[int]:
        """Return the ids of the running job processes."""
        return [worker.pid for worker in self._workers if worker.pid is not None]

    async def _in_loop(self, function: Callable[[*Args], Result], *args: *Args) -> Result:
        """Run a short task here, alone in its turn of the event loop."""
        async with self._turn:
            self._inline += 1
            result = function(*args)
            await asyncio.sleep(0)
            return result

    async def _in_worker(self, function: Callable[[*Args], bytes], *args: *Args) -> bytes:
        """Run a task in a worker; once more where the worker's process ended under it."""
        if self._is_closed:
            raise WorkerError("the pool is closed")
        if not self._is_warm:
            await self.warm()
        for attempt in range(1, ATTEMPTS + 1):
            worker = await self._idle_worker()
            try:
                return await self._on(worker, function, *args)
            except BrokenProcessPool as error:
                self._crashes += 1
                log.warning("job process ended", attempt=attempt)
                if attempt == ATTEMPTS:
                    raise WorkerCrashed("the job process ended under the answer") from error
        raise AssertionError("unreachable: the last attempt returns or raises")

    async def _idle_worker(self) -> _Worker:
        if self._waiting >= MAX_WAITING:
            raise WorkerError(f"{MAX_WAITING} answers wait to be read already")
        self._waiting += 1
        try:
            async with asyncio.timeout(self._task_timeout_s * ATTEMPTS):
                return await self._idle.get()
        except TimeoutError as error:
            raise TaskTimeout("no job process became free") from error
        finally:
            self._waiting -= 1

    async def _on(self, worker: _Worker, function: Callable[[*Args], bytes], *args: *Args) -> bytes:
        """Run a task on ``worker``, which is idle again when the task has really ended."""
        try:
            if not worker.is_running:
                await asyncio.to_thread(worker.start)
            future = worker.submit(function, *args)
        except BaseException as error:
            if isinstance(error, BrokenProcessPool):
                worker.drop()
            self._idle.put_nowait(worker)
            raise
        self._tasks += 1
        loop = asyncio.get_running_loop()
        future.add_done_callback(lambda done: _call_in(loop, self._ended, worker, done))
        try:
            async with asyncio.timeout(self._task_timeout_s):
                return await asyncio.wrap_future(future)
        except TimeoutError as error:
            self._timeouts += 1
            worker.kill()
            raise TaskTimeout(f"an answer took over {self._task_timeout_s:g} s to read") from error

    def _ended(self, worker: _Worker, future: Future[bytes]) -> None:
        if not future.cancelled() and isinstance(future.exception(), BrokenProcessPool):
            worker.drop()
        self._idle.put_nowait(worker)


class _Worker:
    """One executor of one process (or thread), started when needed."""

    def __init__(self, *, is_process: bool) -> None:
        self._is_process = is_process
        self._executor: Executor | None = None
        self._start_lock = threading.Lock()
        self.pid: int | None = None

    @property
    def is_running(self) -> bool:
        return self._executor is not None

    def start(self) -> None:
        """Start the process and wait until it answers (blocks: not for the event loop).

        Raises:
            WorkerCrashed: it did not come up.
        """
        with self._start_lock:  # whoever waited for an earlier start may have been cancelled
            if self._executor is None:
                self._executor, self.pid = self._started()

    def _started(self) -> tuple[Executor, int | None]:
        executor = _process_executor() if self._is_process else ThreadPoolExecutor(1, thread_name_prefix="parse")
        try:
            with _main_hidden():
                answer = executor.submit(child.ready)
            pid = answer.result(START_TIMEOUT_S)
        except (BrokenProcessPool, TimeoutError, OSError) as error:
            executor.shutdown(wait=False, cancel_futures=True)
            raise WorkerCrashed("a job process did not start") from error
        return executor, pid if self._is_process else None

    def submit(self, function: Callable[[*Args], bytes], *args: *Args) -> Future[bytes]:
        if self._executor is None:
            raise WorkerCrashed("the job process is not running")
        return self._executor.submit(function, *args)

    def kill(self) -> None:
        """End the process at once; its task fails."""
        if self.pid is not None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGKILL)

    def drop(self) -> None:
        """Let go of an executor whose process has ended."""
        if self._executor is not None:
            self._executor.shutdown(wait=False, cancel_futures=True)
            self._executor, self.pid = None, None

    def stop(self) -> None:
        """Let the running task end, then the process (blocks)."""
        if self._executor is not None:
            self._executor.shutdown(wait=True, cancel_futures=True)
            self._executor, self.pid = None, None


def _process_executor() -> ProcessPoolExecutor:
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(list(PRELOAD))
    return ProcessPoolExecutor(1, mp_context=context, initializer=child.begin)


class _NoMain(ModuleType):
    """Stands for ``__main__`` while a process is started."""


@contextlib.contextmanager
def _main_hidden() -> Iterator[None]:
    """Keep new processes from importing the program's main module.

    The standard start imports it again in each process, which runs the whole program where a
    script has no ``__main__`` guard; tasks here need nothing of it.
    """
    main = sys.modules["__main__"]
    if isinstance(main, _NoMain):
        yield
        return
    sys.modules["__main__"] = _NoMain("__main__")
    try:
        yield
    finally:
        sys.modules["__main__"] = main


def _call_in(
    loop: asyncio.AbstractEventLoop,
    callback: Callable[[_Worker, Future[bytes]], None],
    worker: _Worker,
    future: Future[bytes],
) -> None:
    with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits any more
        loop.call_soon_threadsafe(callback, worker, future)
