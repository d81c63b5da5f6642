"""One SQLite file, worked by two threads: a reader and a writer, each with its own connection.

Owns the threads, the connections, transactions and write-behind. Knows nothing of entries or
identities: they hand in work (:mod:`weedhounds.cache.work`). The event loop never touches the file.

Reads are grouped: those that are asked for in one turn of the event loop reach the thread in one
hop, look-ups among them become one statement, and all are answered in one hop, since a hop between
threads costs more than a read. Writes gather in :class:`WriteBehind` maps, and the writer commits
what gathered as one transaction, at most once every ``write_behind_s``. A commit that fails
leaves everything gathered in place; it is tried again, with growing pauses.

Invariants: a transaction begins ``IMMEDIATE``; a cancelled caller never disturbs a thread; what
was gathered is committed before :meth:`SqliteFile.close` returns, or that call says it was not.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
import queue
import sqlite3
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Generic, TypeVar

from weedhounds.cache import rows
from weedhounds.cache.schema import opening_error, prepare, transaction, unavailable
from weedhounds.cache.totals import lock_totals
from weedhounds.cache.work import SQLITE, Ask, Do, Row, Statement, Work, ask_in, marks
from weedhounds.cache.write_behind import WriteBehind
from weedhounds.clock import Clock, SystemClock
from weedhounds.errors import TierUnavailable, WeedHoundsError

T = TypeVar("T")

MAX_JOBS = 10_000
"""Reads, writes and flushes that may wait at once; a further one is refused."""
GROUP = 512
"""Rows that are looked up by one statement and answered in one hop, where several callers ask for them."""
MAX_RETRY_S = 5.0
"""Longest pause between two tries of a commit that fails."""
WAL_BYTES = 64 * 2**20
"""Size to which the write-ahead log is cut back after a checkpoint."""
READER_CACHE_KIB, WRITER_CACHE_KIB = 32 * 1024, 8 * 1024
"""Pages of the file that each connection keeps. With SQLite's own 2 MB each read of 8 KB calls the
system three times for pages: 5.8 instead of 3.6 microseconds."""
SWITCH_INTERVAL_S = 0.001
"""What a program with a busy event loop should give ``sys.setswitchinterval``. A thread that waits
for the interpreter's lock asks for it only after waiting that long undisturbed; a loop that lets go
for an instant every 2 ms starves it for ever at the default of 5 ms. Measured, one read beside such
a loop: median 4 ms, but up to 18 s; with 1 ms at most 8 ms, and the throughput is the same."""
_IDLE_S = 1.0
"""How often an idle thread looks whether the program has ended without closing the file."""


class _Job(Generic[T]):
    """Work to run on a connection, and who waits for its result."""

    __slots__ = ("error", "future", "result", "work")

    def __init__(self, work: Callable[[], Work[T]], future: asyncio.Future[T]) -> None:
        self.work = work
        self.future = future
        self.result: Any = None
        self.error: WeedHoundsError | None = None

    def deliver(self) -> None:
        """Tell who waits, unless nobody does any more. Called on the event loop."""
        future = self.future
        if future.done():
            return
        if self.error is None:
            future.set_result(self.result)
        else:
            future.set_exception(self.error)


class _LookUp(_Job[list[Row]]):
    """Entries to look up by digest: may be done together with others."""

    __slots__ = ("digests",)

    def __init__(self, digests: Sequence[bytes], future: asyncio.Future[list[Row]]) -> None:
        self.digests = digests
        self.future = future
        self.error = None

    def alone(self) -> Work[list[Row]]:
        """Look up nothing but these."""
        return ask_in(rows.READ, self.digests)

    def take(self, found: Mapping[bytes, Row]) -> None:
        """Take the result from what was found for this and others."""
        digests = self.digests
        if len(digests) == 1:
            row = found.get(digests[0])
            self.result = [] if row is None else [row]
        else:
            self.result = [row for digest in digests if (row := found.get(digest)) is not None]


class SqliteFile:
    """The file, its two threads and what they do. All methods belong to the loop of :meth:`open`.

    Args:
        clock: measures how long a failing operation took.
        busy_timeout_s: how long a lock of another process is waited for.
        write_behind_s: longest time that a gathered write waits for its commit.

    Bounds: ``MAX_JOBS`` calls waiting; what gathers is bounded by who gathers it.
    """

    dialect = SQLITE

    def __init__(self, path: Path, *, clock: Clock, busy_timeout_s: float, write_behind_s: float) -> None:
        self.path = path.absolute()
        self._clock = clock
        self._busy_timeout_s = busy_timeout_s
        self._write_behind_s = write_behind_s
        self._loop: asyncio.AbstractEventLoop | None = None
        self._owner: threading.Thread | None = None
        self._threads: list[threading.Thread] = []
        self._ended: list[asyncio.Event] = []
        self._reads: queue.SimpleQueue[list[_Job[Any]] | None] = queue.SimpleQueue()
        self._unsent: list[_Job[Any]] = []
        self._asked = 0
        self._is_reader_done = False
        self._gathered: list[WriteBehind[Any, Any, Any]] = []
        self._turn = threading.Condition()
        self._jobs: list[_Job[Any]] = []
        self._waiters: list[_Job[Any]] = []
        self._pace = SystemClock()
        self._due_s = math.inf
        self._is_dirty = False
        self._is_closing = False

    @property
    def max_body_bytes(self) -> int:
        """Return SQLite's own limit of a value (SQLITE_MAX_LENGTH)."""
        return 10**9

    @property
    def is_tried_again(self) -> bool:
        """Return false: a file that cannot be opened is to be mended first."""
        return False

    @property
    def place(self) -> str:
        """Return the file's path."""
        return str(self.path)

    def gather(self, gathered: WriteBehind[Any, Any, Any]) -> None:
        """Let the writer commit what gathers in ``gathered``, from now on. Call before :meth:`open`.

        What is given first is taken first: what was added to a later one before an earlier one is
        never committed after it.
        """
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

    def look_up(self, digests: Sequence[bytes]) -> asyncio.Future[list[Row]]:
        """Return the rows of ``entries`` with these digests. Texts arrive as bytes.

        Raises:
            TierUnavailable: SQLite failed, the file is closed, or too many calls wait.
        """
        future = self._seat()
        self._send(_LookUp(digests, future))
        return future

    async def read(self, work: Callable[[], Work[T]]) -> T:
        """Run work on the reader's connection and return its result. Texts arrive there as bytes.

        Raises:
            TierUnavailable: SQLite failed, the file is closed, or too many calls wait.
        """
        job = self._job(work)
        self._send(job)
        return await job.future

    async def write(self, work: Callable[[], Work[T]]) -> T:
        """Run work on the writer's connection, at once and in a transaction of its own.

        Raises:
            TierUnavailable: SQLite failed (nothing was written), or the file is closed.
        """
        job = self._job(work)
        self._hurry(self._jobs, job)
        return await job.future

    async def write_apart(self, work: Callable[[], Work[T]]) -> T:
        """Run work in a transaction of its own; SQLite has one writer, so it is the same as :meth:`write`."""
        return await self.write(work)

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
        self._send_all()
        self._reads.put(None)
        with self._turn:
            self._turn.notify()
        for ended in self._ended:
            await ended.wait()
        for thread in self._threads:
            thread.join()
        lost = sum(len(gathered) for gathered in self._gathered if gathered.failure is not None)
        if lost:
            raise TierUnavailable(f"{self.path} was closed with {lost} writes not stored", retryable=False)

    def _job(self, work: Callable[[], Work[T]]) -> _Job[T]:
        return _Job(work, self._seat())

    def _seat(self) -> asyncio.Future[Any]:
        """Return what a caller waits for, if one more may wait."""
        loop = self._check_open()
        if self._asked >= MAX_JOBS:
            raise TierUnavailable(f"{self.path}: {MAX_JOBS} calls are waiting")
        self._asked += 1
        return loop.create_future()

    def _send(self, job: _Job[Any]) -> None:
        """Send a read to its thread, together with all others of this turn of the loop."""
        if not self._unsent:
            assert self._loop is not None
            self._loop.call_soon(self._send_all)
        self._unsent.append(job)

    def _send_all(self) -> None:
        if self._unsent:
            self._reads.put(self._unsent)
            self._unsent = []

    def _check_open(self) -> asyncio.AbstractEventLoop:
        if self._loop is None or self._is_closing:
            raise TierUnavailable(f"{self.path} is not open")
        return self._loop

    def _hurry(self, waiting: list[_Job[Any]], job: _Job[Any]) -> None:
        with self._turn:
            waiting.append(job)
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
        connection = self._connect(WRITER_CACHE_KIB)
        try:
            prepare(connection, self.path)
        except BaseException:
            connection.close()
            raise
        return connection

    def _open_reader(self) -> sqlite3.Connection:
        connection = self._connect(READER_CACHE_KIB)
        connection.execute("PRAGMA query_only = ON")
        return connection

    def _connect(self, cache_kib: int) -> sqlite3.Connection:
        connection = sqlite3.connect(self.path, timeout=self._busy_timeout_s, isolation_level=None)
        connection.execute("PRAGMA synchronous = NORMAL")
        connection.execute(f"PRAGMA cache_size = -{cache_kib}")
        connection.execute(f"PRAGMA journal_size_limit = {WAL_BYTES}")
        connection.execute("PRAGMA trusted_schema = OFF")
        # A flipped bit in a text must cost its own row, not the whole answer.
        connection.text_factory = bytes
        return connection

    def _serve_reads(self, connection: sqlite3.Connection) -> None:
        while not self._is_reader_done:
            for group in _groups(self._next_reads()):
                if not self._look_up_together(group, connection):
                    for job in group:
                        self._attempt(job, connection)
                self._post(self._deliver, group)

    def _next_reads(self) -> list[_Job[Any]]:
        """Wait for reads; return them with those that were sent meanwhile."""
        sent: list[_Job[Any]] = []
        try:
            some = self._reads.get(timeout=_IDLE_S)
            while some is not None:
                sent.extend(some)
                if len(sent) >= GROUP:
                    return sent
                some = self._reads.get_nowait()
            self._is_reader_done = True
        except queue.Empty:
            self._is_reader_done = not sent and self._is_abandoned()
        return sent

    def _look_up_together(self, group: Sequence[_Job[Any]], connection: sqlite3.Connection) -> bool:
        """Answer several look-ups by one statement; tell whether that was possible and went well.

        Damage, which one of them met, must not cost the others: then each is tried alone.
        """
        look_ups = [job for job in group if type(job) is _LookUp]
        if not look_ups:
            return False
        wanted = dict.fromkeys([digest for job in look_ups for digest in job.digests])
        try:
            found = {row[0]: row for row in perform(ask_in(rows.READ, wanted), connection)}
        except sqlite3.Error:
            return False
        for job in look_ups:
            job.take(found)
        return True

    def _serve_writes(self, connection: sqlite3.Connection) -> None:
        pause_s = self._write_behind_s
        is_last = False
        while not is_last:
            is_commit, waiters, is_last = self._next_turn(pause_s)
            if self._write_round(connection, waiters, is_commit=is_commit):
                pause_s = self._write_behind_s
            else:
                pause_s = max(self._write_behind_s, min(2 * pause_s, MAX_RETRY_S))
                self._is_dirty = True

    def _next_turn(self, pause_s: float) -> tuple[bool, list[_Job[Any]], bool]:
        """Wait until there is something to do.

        Returns: whether what gathered is to be committed, who waits for that, whether it is the last time.
        """
        with self._turn:
            while True:
                now_s = self._pace.monotonic()
                if self._is_dirty and self._due_s == math.inf:
                    self._due_s = now_s + pause_s
                is_commit = self._is_closing or bool(self._waiters) or now_s >= self._due_s
                if is_commit or self._jobs:
                    break
                self._turn.wait(min(_IDLE_S, self._due_s - now_s))
                if self._is_abandoned():
                    self._is_closing = True
            waiters: list[_Job[Any]] = []
            if is_commit:
                self._is_dirty, self._due_s = False, math.inf
                waiters, self._waiters = self._waiters, []
            return is_commit, waiters, self._is_closing

    def _write_round(self, connection: sqlite3.Connection, waiters: list[_Job[Any]], *, is_commit: bool) -> bool:
        """Run the jobs, then commit what gathered, where that is due; tell whether that went well.

        What gathered is fixed before the jobs are: a discard that comes between the two has
        already taken its key back, and a put after the discard waits for the next round.
        """
        taken = [gathered for gathered in self._gathered if gathered.take()] if is_commit else []
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
        def write() -> Work[None]:
            totals = yield from lock_totals(self.dialect)
            for gathered in taken:
                yield from gathered.write(totals)

        _, error = self._outcome(write, connection, is_write=True)
        for gathered in taken:
            gathered.finish(error)
        return error

    def _attempt(self, job: _Job[Any], connection: sqlite3.Connection, *, is_write: bool = False) -> None:
        # A write is done even where its caller has gone: half of a discard is worse than all of it.
        if is_write or not job.future.cancelled():
            work = job.alone if type(job) is _LookUp else job.work
            job.result, job.error = self._outcome(work, connection, is_write=is_write)

    def _outcome(
        self, work: Callable[[], Work[T]], connection: sqlite3.Connection, *, is_write: bool
    ) -> tuple[T | None, TierUnavailable | None]:
        started_s = self._clock.monotonic()
        try:
            if not is_write:
                return perform(work(), connection), None
            with transaction(connection):
                result = perform(work(), connection)
            return result, None
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


def _nothing() -> Work[None]:
    """Do nothing: what a caller runs who only waits for a turn."""
    return
    yield  # a generator, as all work is


def _groups(jobs: Iterable[_Job[Any]]) -> Iterator[list[_Job[Any]]]:
    """Split reads into look-ups that are done together, about ``GROUP`` rows, and single other reads."""
    group: list[_Job[Any]] = []
    count = 0
    for job in jobs:
        if type(job) is not _LookUp:
            yield [job]
            continue
        group.append(job)
        count += len(job.digests)
        if count >= GROUP:
            yield group
            group, count = [], 0
    if group:
        yield group


def perform(work: Work[T], connection: sqlite3.Connection) -> T:
    """Run work to its end on a connection; statements that fail end it."""
    answer: Any = None
    try:
        while True:
            answer = _execute(work.send(answer), connection)
    except StopIteration as done:
        result: T = done.value
        return result
    finally:
        work.close()


def _execute(statement: Statement, connection: sqlite3.Connection) -> Any:
    if type(statement) is Ask:
        return connection.execute(statement.sql, statement.values).fetchall()
    if type(statement) is Do:
        return connection.execute(statement.sql, statement.values).rowcount
    assert not isinstance(statement, Ask | Do)
    if not statement.rows:
        return 0
    sql = f"{statement.head} VALUES ({marks(len(statement.rows[0]))}){statement.tail}"
    return connection.executemany(sql, statement.rows).rowcount
