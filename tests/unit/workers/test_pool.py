"""The pool of job processes: what it gives back, what it survives, what it leaves behind."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterable, Mapping
from pathlib import Path

import psutil  # type: ignore[import-untyped]
import pytest

from weedhounds.errors import (
    OriginRejected,
    OriginUnavailable,
    RateLimited,
    SchemaMismatch,
    SourceError,
    TaskTimeout,
    WorkerCrashed,
    WorkerError,
)
from weedhounds.model.datatypes import DataType
from weedhounds.model.keys import RecordKey
from weedhounds.model.provenance import Terms
from weedhounds.model.records import Product, Shop
from weedhounds.sources.base import Budget, Call, Kind, Load, OriginConfig, Parsed, SourceInfo
from weedhounds.workers.pool import ParsePool

LARGE = 4096
CALL = Call(kind=Kind.MENU, path="/menu")
LOAD = Load(
    origin="jane",
    what="menu",
    keys=(RecordKey(DataType.DISPENSARY_MENU, "jane", "7"),),
    calls=(CALL,),
    shop_id="7",
)


class ScriptSource:
    """A source whose answers are orders: the word before the padding says what parsing does."""

    def __init__(self) -> None:
        self.config = OriginConfig(origin="jane", base_url="http://x", budget=Budget(1, 1.0, 1), terms=Terms())

    @classmethod
    def info(cls) -> SourceInfo:
        raise NotImplementedError

    @staticmethod
    def parse(body: bytes, kind: Kind | None = None, *, currency: str = "USD") -> Parsed:
        word, _, rest = body.partition(b" ")
        if word == b"kill":
            os.kill(os.getpid(), signal.SIGKILL)
        if word == b"kill-once":
            marker = Path(rest.strip().decode())
            if not marker.exists():
                marker.touch()
                os.kill(os.getpid(), signal.SIGKILL)
        if word == b"hang":
            time.sleep(60)
        if word == b"limited":
            raise RateLimited("slow down", 7.0, origin="jane")
        if word == b"rejected":
            raise OriginRejected("blocked", origin="jane")
        if word == b"unavailable":
            raise OriginUnavailable("try again", retryable=False)
        if word == b"mistake":
            raise ZeroDivisionError
        return Parsed(products=[Product(id=str(os.getpid()), name="p", origin="jane")], seen=1)

    def plan(self, keys: Iterable[RecordKey], shops: Mapping[str, Shop]) -> list[Load]:
        raise NotImplementedError

    def follow(self, call: Call, parsed: Parsed) -> list[Call]:
        return []


def body(order: str, size: int = LARGE) -> bytes:
    return order.encode().ljust(size)


@pytest.fixture
async def pool() -> AsyncIterator[ParsePool]:
    async with ParsePool(1, inline_bytes=1024) as opened:
        yield opened


async def run(pool: ParsePool, order: str, size: int = LARGE) -> None:
    page = await pool.page(ScriptSource(), LOAD, CALL, body(order, size))
    assert len(page.filled) == 2


async def test_small_answers_are_read_in_the_loop_and_large_ones_in_a_process(pool: ParsePool) -> None:
    await run(pool, "ok", 1024)
    assert (pool.stats().inline, pool.stats().tasks) == (1, 0)
    await run(pool, "ok", 1025)
    assert (pool.stats().inline, pool.stats().tasks) == (1, 1)


async def test_both_ways_give_the_same(pool: ParsePool) -> None:
    small = await pool.page(ScriptSource(), LOAD, CALL, body("ok", 100))
    large = await pool.page(ScriptSource(), LOAD, CALL, body("ok"))
    assert [f.key for f in small.filled] == [f.key for f in large.filled]
    parsed = await pool.parse("jane", Kind.MENU, b'{"hits":[],"nbHits":0}'.ljust(LARGE))
    assert parsed == await pool.parse("jane", Kind.MENU, b'{"hits":[],"nbHits":0}')


async def test_small_tasks_take_turns_with_everything_else(pool: ParsePool) -> None:
    turns = 0

    async def heartbeat() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    beating = asyncio.create_task(heartbeat())
    await asyncio.gather(*(run(pool, "ok", 100) for _ in range(50)))
    beating.cancel()
    assert turns >= 50


@pytest.mark.parametrize(
    ("order", "expected"),
    [
        ("limited", RateLimited("slow down", 7.0, origin="jane")),
        ("rejected", OriginRejected("blocked", origin="jane")),
        ("unavailable", OriginUnavailable("try again", retryable=False)),
        ("mistake", SchemaMismatch("the answer cannot be read: ZeroDivisionError")),
    ],
)
async def test_typed_errors_come_back_whole_and_the_process_lives_on(
    pool: ParsePool, order: str, expected: SourceError
) -> None:
    before = pool.process_ids()
    with pytest.raises(type(expected)) as caught:
        await run(pool, order)
    assert (caught.value.args, caught.value.retryable) == (expected.args, expected.retryable)
    assert pool.process_ids() == before
    assert pool.stats().crashes == 0


async def test_a_killed_process_is_replaced_and_its_task_done_again(pool: ParsePool, tmp_path: Path) -> None:
    before = pool.process_ids()
    await run(pool, f"kill-once {tmp_path / 'marker'}")
    assert pool.stats().crashes == 1
    assert pool.process_ids() != before


async def test_a_process_killed_from_outside_costs_nothing(pool: ParsePool) -> None:
    os.kill(pool.process_ids()[0], signal.SIGKILL)
    await asyncio.gather(*(run(pool, "ok") for _ in range(5)))
    assert pool.stats().tasks >= 5


async def test_an_answer_that_kills_every_process_is_given_up_and_others_are_still_read(pool: ParsePool) -> None:
    others = [asyncio.create_task(run(pool, "ok")) for _ in range(4)]
    with pytest.raises(WorkerCrashed):
        await run(pool, "kill")
    await asyncio.gather(*others)
    await run(pool, "ok")
    assert pool.stats().crashes == 2


async def test_a_task_over_its_limit_ends_with_its_process_and_the_next_is_read() -> None:
    async with ParsePool(1, inline_bytes=0, task_timeout_s=0.5) as pool:
        stuck = pool.process_ids()[0]
        with pytest.raises(TaskTimeout):
            await run(pool, "hang")
        await run(pool, "ok")
        assert not psutil.pid_exists(stuck) or psutil.Process(stuck).status() == psutil.STATUS_ZOMBIE
        assert pool.stats().timeouts == 1


async def test_a_cancelled_wait_frees_the_worker_when_its_task_has_ended(pool: ParsePool) -> None:
    tasks = [asyncio.create_task(run(pool, "ok")) for _ in range(20)]
    await asyncio.sleep(0)
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)
    await run(pool, "ok")
    assert pool.stats().waiting == 0


async def test_workers_share_the_work() -> None:
    async with ParsePool(2, inline_bytes=0) as pool:
        assert len(set(pool.process_ids())) == 2
        await asyncio.gather(*(run(pool, "ok") for _ in range(20)))
        assert pool.stats().tasks == 20


async def test_without_processes_a_thread_reads() -> None:
    async with ParsePool(0, inline_bytes=0) as pool:
        assert pool.process_ids() == []
        await run(pool, "ok")
        with pytest.raises(OriginRejected):
            await run(pool, "rejected")
        assert (pool.stats().workers, pool.stats().tasks) == (0, 2)


async def test_a_pool_starts_by_itself_where_nobody_warmed_it() -> None:
    pool = ParsePool(1, inline_bytes=0)
    await run(pool, "ok")
    assert pool.stats().tasks == 1
    await pool.close()


async def test_a_closed_pool_has_no_processes_and_takes_no_tasks() -> None:
    pool = ParsePool(1, inline_bytes=0)
    await pool.warm()
    (child,) = pool.process_ids()
    await pool.close()
    assert not psutil.pid_exists(child)
    with pytest.raises(WorkerError, match="closed"):
        await run(pool, "ok")


SCRIPT = """
import asyncio, sys
from weedhounds.workers.pool import ParsePool

print("imported", flush=True)

async def main():
    pool = ParsePool(1)
    await pool.warm()
    print(*pool.process_ids(), flush=True)
    await asyncio.to_thread(sys.stdin.readline)
    await pool.close()

asyncio.run(main())
"""
"""A program without a ``__main__`` guard: its main module must not run again in the processes."""


def start_program(tmp_path: Path) -> tuple[subprocess.Popen[str], list[psutil.Process]]:
    """Start the program; return it and every process below it."""
    path = tmp_path / "program.py"
    path.write_text(SCRIPT)
    program = subprocess.Popen(
        [sys.executable, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, start_new_session=True
    )
    assert program.stdout is not None
    assert program.stdout.readline() == "imported\n"
    pids = [int(pid) for pid in program.stdout.readline().split()]
    assert len(pids) == 1
    below = psutil.Process(program.pid).children(recursive=True)
    assert pids[0] in [process.pid for process in below]
    return program, below


@pytest.mark.parametrize("how", ["end", "kill"])
def test_no_process_outlives_its_program(tmp_path: Path, how: str) -> None:
    program, below = start_program(tmp_path)
    with program:
        if how == "kill":
            program.kill()
        else:
            assert program.stdin is not None
            program.stdin.write("\n")
            program.stdin.flush()
            assert program.wait(10) == 0
    _, alive = psutil.wait_procs(below, timeout=10)
    assert [process for process in alive if process.status() != psutil.STATUS_ZOMBIE] == []


def test_ctrl_c_is_left_to_the_program(tmp_path: Path) -> None:
    program, below = start_program(tmp_path)
    for process in below:
        if "forkserver" in " ".join(process.cmdline()):
            process.send_signal(signal.SIGINT)
    with program:
        assert program.stdin is not None
        program.stdin.write("\n")
        program.stdin.flush()
        assert program.wait(10) == 0
    psutil.wait_procs(below, timeout=10)
