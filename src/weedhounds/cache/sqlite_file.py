"""One SQLite file, worked by two threads: a reader and a writer, each with its own connection.

Owns the threads, the connections, transactions and write-behind. Knows nothing of entries or
identities: they hand in functions that take a connection. The event loop never touches the file.

Reads are grouped: all that wait are run in one go and answered in one hop, since a hop between
threads costs more than a read. Writes gather in :class:`WriteBehind` maps, and the writer commits
what gathered as one transaction, at most once every ``write_behind_s``. A commit that fails
leaves everything gathered in place; it is tried again, with growing pauses.

Invariants: a transaction begins ``IMMEDIATE``; a cancelled caller never disturbs a thread; what
was gathered is committed before :meth:`SqliteFile.close` returns, or that call says it was not.
"""

from __future__ import annotations

import asyncio
import contextlib
import queue
import sqlite3
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, Generic, TypeVar

from weedhounds.cache.schema import opening_error, prepare, transaction, unavailable
from weedhounds.cache.write_behind import WriteBehind
from weedhounds.clock import Clock
from weedhounds.errors import TierUnavailable, WeedHoundsError

T = TypeVar("T")

MAX_JOBS = 10_000
"""Reads, writes and flushes that may wait at once; a further one is refused."""
GROUP = 32
"""Reads that are answered in one hop."""
MAX_RETRY_S = 5.0
"""Longest pause between two tries of a commit that fails."""
WAL_BYTES = 64 * 2**20
"""Size to which the write-ahead log is cut back after a checkpoint."""
SWITCH_INTERVAL_S = 0.001
"""What a program with a busy event loop should give ``sys.setswitchinterval``. A thread that waits
for the interpreter's lock asks for it only after waiting that long undisturbed; a loop that lets go
for an instant every 2 ms starves it for ever at the default of 5 ms. Measured, one read beside such
a loop: median 4 ms, but up to 18 s; with 1 ms at most 8 ms, and the throughput is the same."""
_IDLE_S = 1.0
"""How often an idle thread looks whether the program has ended without closing the file."""


class _Job(Generic[T]):
    """A function to run on a connection, and who waits for its result."""

    __slots__ = ("error", "future", "result", "run")

    def __init__(self, run: Callable[[sqlite3.Connection], T], future: asyncio.Future[T]) -> None:
        self.run = run
        self.future = future
        self.result: Any = None
        self.error: WeedHoundsError | None = None

    def deliver(self) -> None:
        """Tell who waits, unless nobody does any more. Called on the event loop."""
        if self.future.done():
            return
        if self.error is not None:
            self.future.set_exception(self.error)
        else:
            self.future.set_result(self.result)


class SqliteFile:
    """The file, its two threads and what they do. All methods belong to the loop of :meth:`open`.

    Args:
        clock: measures how long a failing operation took.
        busy_timeout_s: how long a lock of another process is waited for.
        write_behind_s: longest time that a gathered write waits for its commit.

    Bounds: ``MAX_JOBS`` calls waiting; what gathers is bounded by who gathers it.
    """

    def __init__(self, path: Path, *, clock: Clock, busy_timeout_s: float, write_behind_s: float) -> None:
        self.path = path.absolute()
        self._clock = clock
        self._busy_timeout_s = busy_timeout_s
        self._write_behind_s = write_behind_s
        self._loop: asyncio.AbstractEventLoop | None = None
        self._owner: threading.Thread | None = None
        self._threads: list[threading.Thread] = []
        self._ended: list[asyncio.Event] = []
        self._reads: queue.SimpleQueue[_Job[Any] | None] = queue.SimpleQueue()
        self._asked = 0
        self._is_reader_done = False
        self._gathered: list[WriteBehind[Any, Any, Any]] = []
        self._turn = threading.Condition()
        self._jobs: list[_Job[Any]] = []
        self._waiters: list[_Job[Any]] = []
        self._is_dirty = False
        self._is_urgent = False
        self._is_closing = False

    def gather(self, gathered: WriteBehind[Any, Any, Any]) -> None:
        """Let the writer commit what gathers in ``gathered``, from now on. Call before :meth:`open`."""
        self._gathered.append(gathered)

    async def open(self) -> None:
        """Open both connections and make the tables in a new file.

        Raises:
            ConfigError: the folder or file cannot be used, or is not of this program's schema.
            TierUnavailable: the file is damaged or locked; one line says what to do.
        """
        if self._loop is not None:
            raise TierUnavailable(f"{self.path} was opened before", retryable=False)
        self._loop = asyncio.get_running_loop()
        self._owner = threading.current_thread()
        try:
            await self._start("writer", self._open_writer, self._serve_writes)
            await self._start("reader", self._open_reader, self._serve_reads)
        except BaseException:
            await self.close()
            raise

    async def read(self, run: Callable[[sqlite3.Connection], T]) -> T:
        """Run ``run`` on the reader's connection and return its result. Texts arrive there as bytes.

        Raises:
            TierUnavailable: SQLite failed, the file is closed, or too many calls wait.
        """
        job = self._job(run)
        self._reads.put(job)
        return await job.future

    async def write(self, run: Callable[[sqlite3.Connection], T]) -> T:
        """Run ``run`` on the writer's connection, at once and in a transaction of its own.

        Raises:
            TierUnavailable: SQLite failed (nothing was written), or the file is closed.
        """
        job = self._job(run)
        self._hurry(self._jobs, job)
        return await job.future

    async def flush(self) -> None:
        """Commit what has gathered so far. Committed writes survive the death of the process.

        Raises:
            TierUnavailable: the commit failed; what gathered is kept and tried again later.
        """
        waiter = self._job(_nothing)
        self._hurry(self._waiters, waiter)
        await waiter.future

    async def make_room(self, gathered: WriteBehind[Any, Any, Any]) -> None:
        """Return once more may be added to ``gathered``: at once, unless it is full.

        Raises:
            TierUnavailable: the file is closed, or the last commit failed and was not made good since.
        """
        self._check_open()
        failure = gathered.failure
        if failure is not None:
            raise TierUnavailable(failure.message, elapsed_s=failure.elapsed_s, retryable=failure.retryable)
        if gathered.is_full:
            await self.flush()

    def wake(self) -> None:
        """Tell the writer that something has gathered."""
        if not self._is_dirty:
            with self._turn:
                self._is_dirty = True
                self._turn.notify()

    async def close(self) -> None:
        """Commit what has gathered, end both threads and close the connections. Calling it again does no harm.

        Raises:
            TierUnavailable: the last commit failed; says how many writes were lost.
        """
        self._is_closing = True
        self._reads.put(None)
        with self._turn:
            self._turn.notify()
        for ended in self._ended:
            await ended.wait()
        for thread in self._threads:
            thread.join()
        lost = sum(len(gathered) for gathered in self._gathered)
        if lost:
            raise TierUnavailable(f"{self.path} was closed with {lost} writes not stored", retryable=False)

    def _job(self, run: Callable[[sqlite3.Connection], T]) -> _Job[T]:
        loop = self._check_open()
        if self._asked >= MAX_JOBS:
            raise TierUnavailable(f"{self.path}: {MAX_JOBS} calls are waiting")
        self._asked += 1
        return _Job(run, loop.create_future())

    def _check_open(self) -> asyncio.AbstractEventLoop:
        if self._loop is None or self._is_closing:
            raise TierUnavailable(f"{self.path} is not open")
        return self._loop

    def _hurry(self, waiting: list[_Job[Any]], job: _Job[Any]) -> None:
        with self._turn:
            waiting.append(job)
            self._is_urgent = True
            self._turn.notify()

    async def _start(
        self, name: str, connect: Callable[[], sqlite3.Connection], serve: Callable[[sqlite3.Connection], None]
    ) -> None:
        assert self._loop is not None
        ready: asyncio.Future[None] = self._loop.create_future()
        ended = asyncio.Event()
        thread = threading.Thread(
            target=self._run, args=(connect, serve, ready, ended), name=f"weedhounds-sqlite-{name}"
        )
        self._ended.append(ended)
        self._threads.append(thread)
        thread.start()
        await ready

    # What follows runs in the threads.

    def _run(
        self,
        connect: Callable[[], sqlite3.Connection],
        serve: Callable[[sqlite3.Connection], None],
        ready: asyncio.Future[None],
        ended: asyncio.Event,
    ) -> None:
        opened: _Job[None] = _Job(_nothing, ready)
        connection = None
        try:
            connection = connect()
        except Exception as error:
            opened.error = opening_error(self.path, error)
        self._post(opened.deliver)
        try:
            if connection is not None:
                serve(connection)
                with contextlib.suppress(sqlite3.Error):
                    connection.close()
        finally:
            self._post(ended.set)

    def _open_writer(self) -> sqlite3.Connection:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        connection = self._connect()
        try:
            prepare(connection, self.path)
        except BaseException:
            connection.close()
            raise
        return connection

    def _open_reader(self) -> sqlite3.Connection:
        connection = self._connect()
        connection.execute("PRAGMA query_only = ON")
        # A flipped bit in a text must cost its own row, not the whole answer.
        connection.text_factory = bytes
        return connection

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(self.path, timeout=self._busy_timeout_s, isolation_level=None)
        connection.execute("PRAGMA synchronous = NORMAL")
        connection.execute(f"PRAGMA journal_size_limit = {WAL_BYTES}")
        connection.execute("PRAGMA trusted_schema = OFF")
        return connection

    def _serve_reads(self, connection: sqlite3.Connection) -> None:
        while True:
            group = self._next_reads()
            for job in group:
                self._attempt(job, connection)
            self._post(self._deliver, group)
            if self._is_reader_done:
                return

    def _next_reads(self) -> list[_Job[Any]]:
        """Wait for a read; return it with those that wait behind it, at most ``GROUP``."""
        group: list[_Job[Any]] = []
        try:
            job = self._reads.get(timeout=_IDLE_S)
            while job is not None:
                group.append(job)
                if len(group) == GROUP:
                    return group
                job = self._reads.get_nowait()
            self._is_reader_done = True
        except queue.Empty:
            self._is_reader_done = self._is_abandoned()
        return group

    def _serve_writes(self, connection: sqlite3.Connection) -> None:
        pause_s = self._write_behind_s
        is_last = False
        while not is_last:
            waiters, is_last = self._next_turn(pause_s)
            if self._write_round(connection, waiters):
                pause_s = self._write_behind_s
            else:
                pause_s = max(self._write_behind_s, min(2 * pause_s, MAX_RETRY_S))
                self._is_dirty = True

    def _next_turn(self, pause_s: float) -> tuple[list[_Job[Any]], bool]:
        """Wait until there is something to write; return who waits for it, and whether it is the last time."""
        with self._turn:
            while not (self._is_dirty or self._is_urgent or self._is_closing):
                self._turn.wait(_IDLE_S)
                if self._is_abandoned():
                    self._is_closing = True
            self._turn.wait_for(lambda: self._is_urgent or self._is_closing, pause_s)
            self._is_dirty = self._is_urgent = False
            waiters, self._waiters = self._waiters, []
            return waiters, self._is_closing

    def _write_round(self, connection: sqlite3.Connection, waiters: list[_Job[Any]]) -> bool:
        """Run the jobs, then commit what gathered; tell whether that went well.

        What gathered is fixed before the jobs are: a discard that comes between the two has
        already taken its key back, and a put after the discard waits for the next round.
        """
        taken = [gathered for gathered in self._gathered if gathered.take()]
        with self._turn:
            jobs, self._jobs = self._jobs, []
        for job in jobs:
            self._attempt(job, connection, is_write=True)
        error = self._commit(taken, connection) if taken else None
        for waiter in waiters:
            waiter.error = error
        self._post(self._deliver, [*jobs, *waiters])
        return error is None

    def _commit(
        self, taken: list[WriteBehind[Any, Any, Any]], connection: sqlite3.Connection
    ) -> TierUnavailable | None:
        def write(connection: sqlite3.Connection) -> None:
            for gathered in taken:
                gathered.write(connection)

        _, error = self._outcome(write, connection, is_write=True)
        for gathered in taken:
            gathered.finish(error)
        return error

    def _attempt(self, job: _Job[Any], connection: sqlite3.Connection, *, is_write: bool = False) -> None:
        # A write is done even where its caller has gone: half of a discard is worse than all of it.
        if is_write or not job.future.cancelled():
            job.result, job.error = self._outcome(job.run, connection, is_write=is_write)

    def _outcome(
        self, run: Callable[[sqlite3.Connection], T], connection: sqlite3.Connection, *, is_write: bool
    ) -> tuple[T | None, TierUnavailable | None]:
        started_s = self._clock.monotonic()
        try:
            return (_transacted(run, connection) if is_write else run(connection)), None
        except Exception as cause:
            error = unavailable(self.path, cause, self._clock.monotonic() - started_s)
            error.__cause__ = cause
            return None, error

    def _is_abandoned(self) -> bool:
        """Tell whether the program ended, or its loop, without closing the file: a thread would wait for ever."""
        assert self._loop is not None
        assert self._owner is not None
        return self._loop.is_closed() or not self._owner.is_alive()

    def _post(self, call: Callable[..., None], *arguments: Any) -> None:
        assert self._loop is not None
        # A closed loop: the program ended without closing the file, nobody waits any more.
        with contextlib.suppress(RuntimeError):
            self._loop.call_soon_threadsafe(call, *arguments)

    def _deliver(self, jobs: list[_Job[Any]]) -> None:
        self._asked -= len(jobs)
        for job in jobs:
            job.deliver()


def _nothing(connection: sqlite3.Connection) -> None:
    """Do nothing: what a caller runs who only waits for a turn."""


def _transacted(run: Callable[[sqlite3.Connection], T], connection: sqlite3.Connection) -> T:
    with transaction(connection):
        return run(connection)
