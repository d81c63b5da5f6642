"""What the benchmarks share: processes of the product, a plain HTTP client, options, and the printing of results."""

from __future__ import annotations

import argparse
import http.client
import os
import select
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import IO, NamedTuple, Self
from urllib.parse import urlencode, urlsplit

import msgspec
from bounds import LoggedCall
from report import Result, as_text

from weedhounds.sources.base import Budget

ROOT = Path(__file__).resolve().parent.parent
START_TIMEOUT_S = 90.0
STOP_TIMEOUT_S = 20.0
HTTP_TIMEOUT_S = 180.0
QUICK_LATENCY = ("--latency-ms", "10")
"""Flags of the sandbox in quick runs: thirty times faster than the default."""
DENVER = {"q": "Blue Dream", "near": "Denver, CO", "radius_km": "40", "deadline_s": "20"}


class BenchError(Exception):
    """A benchmark could not measure what it should."""


class Running(NamedTuple):
    """A process of the product that answers at ``url``; ``stdout`` is what it prints besides."""

    url: str
    pid: int
    stdout: IO[bytes]


class _Ready(msgspec.Struct):
    url: str


@contextmanager
def sandbox(*flags: str, seed: int = 1, is_quick: bool = False) -> Iterator[Running]:
    """Run ``weedhounds sandbox`` on a free port."""
    quick = QUICK_LATENCY if is_quick else ()
    command = ("-m", "weedhounds", "sandbox", "--port", "0", "--seed", str(seed), "--json", *quick, *flags)
    with started(*command) as running:
        yield running


@contextmanager
def node(sandbox_url: str, data_dir: Path) -> Iterator[Running]:
    """Run ``weedhounds up`` on a free port, as users do; SIGTERM ends it."""
    command = ("-m", "weedhounds", "up", "--sandbox", sandbox_url, "--port", "0", "--data-dir", str(data_dir), "--json")
    with started(*command) as running:
        yield running


@contextmanager
def started(*arguments: str) -> Iterator[Running]:
    """Run Python with ``arguments``, which print a JSON line with their ``url`` once they answer; end it by SIGTERM.

    Raises:
        BenchError: it did not start within 90 s, did not end within 20 s, or logged a traceback.
    """
    environment = {name: value for name, value in os.environ.items() if not name.startswith("WEEDHOUNDS_")}
    with (
        tempfile.TemporaryFile() as log,
        subprocess.Popen(
            (sys.executable, *arguments), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=log, env=environment
        ) as process,
    ):
        try:
            assert process.stdout is not None
            yield Running(_address(process, log.fileno()), process.pid, process.stdout)
        finally:
            _end(process)
        if "Traceback" in _text(log.fileno()):
            raise BenchError(f"{arguments[2:4]} logged a traceback: {_text(log.fileno())[-400:]}")


def _address(process: subprocess.Popen[bytes], log: int) -> str:
    assert process.stdout is not None
    try:
        return msgspec.json.decode(next_line(process.stdout, START_TIMEOUT_S), type=_Ready).url
    except msgspec.MsgspecError:
        raise BenchError(f"{process.args!s:.200} did not start: {_text(log)[-400:]}") from None


def next_line(stdout: IO[bytes], timeout_s: float) -> bytes:
    """Return the next line that a process prints; empty where none comes in time."""
    ready, _, _ = select.select([stdout], [], [], timeout_s)
    return stdout.readline() if ready else b""


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(STOP_TIMEOUT_S)
    except subprocess.TimeoutExpired:
        process.kill()
        raise BenchError(f"{process.args!s:.200} did not end within {STOP_TIMEOUT_S:.0f} s of SIGTERM") from None


def _text(log: int) -> str:
    return os.pread(log, 1 << 22, 0).decode(errors="replace")


class Reply(NamedTuple):
    """An answer and the seconds from sending the request to its last byte (connecting included, where it was)."""

    status: int
    body: bytes
    seconds: float


class Client:
    """A plain HTTP client with one kept connection."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self._connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=HTTP_TIMEOUT_S)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._connection.close()

    def get(self, path: str, *, method: str = "GET", **parameters: str) -> Reply:
        """Send one request and read the answer.

        Raises:
            BenchError: it is no 200.
        """
        target = f"{path}?{urlencode(parameters)}" if parameters else path
        started_s = time.perf_counter()
        self._connection.request(method, target)
        response = self._connection.getresponse()
        body = response.read()
        seconds = time.perf_counter() - started_s
        if response.status != 200:
            raise BenchError(f"{target}: {response.status} {body[:300].decode(errors='replace')}")
        return Reply(response.status, body, seconds)


def get(url: str, path: str, *, method: str = "GET", **parameters: str) -> Reply:
    """Send one request over a connection of its own."""
    with Client(url) as client:
        return client.get(path, method=method, **parameters)


class Meta(msgspec.Struct):
    """What a hunt's ``meta`` says of it."""

    elapsed_ms: float
    origin_calls: int
    offers_total: int
    by_tier: dict[str, int]


class Answer(msgspec.Struct):
    """A hunt's answer, as far as the benchmarks read it."""

    missing: list[dict[str, str]]
    meta: Meta


def answer_of(reply: Reply) -> Answer:
    """Return the hunt's answer in a reply."""
    return msgspec.json.decode(reply.body, type=Answer)


class Calls(msgspec.Struct):
    """What the sandbox counted: attempts by origin, and its log."""

    by_origin: dict[str, int]
    log: list[LoggedCall] = []

    @property
    def total(self) -> int:
        """Return the attempts at all origins."""
        return sum(self.by_origin.values())


class _Terms(msgspec.Struct):
    budget: Budget


def calls_of(sandbox_url: str) -> Calls:
    """Return the sandbox's count and log of calls since its start or reset."""
    return msgspec.json.decode(get(sandbox_url, "/_sandbox/calls", log="1").body, type=Calls)


def budgets_of(sandbox_url: str) -> dict[str, Budget]:
    """Return the budgets of the sandbox's origins."""
    terms = msgspec.json.decode(get(sandbox_url, "/_sandbox/terms").body, type=dict[str, _Terms])
    return {origin: each.budget for origin, each in terms.items()}


def reset(sandbox_url: str) -> None:
    """Empty the sandbox's counters and log, and fill its token buckets."""
    get(sandbox_url, "/_sandbox/reset", method="POST")


class Options(msgspec.Struct, frozen=True, kw_only=True):
    """Options that every benchmark takes.

    Args:
        is_quick: tiny counts and fast sandboxes: to see that the benchmark works, not to measure.
        repeats: how often its main step is done (seeds, runs); ``None`` for its default.
        json_file: where the result goes besides.
    """

    is_quick: bool = False
    repeats: int | None = None
    json_file: Path | None = None


def run_bench(bench: Callable[[Options], Result], argv: Sequence[str] | None) -> int:
    """Parse ``argv``, run the benchmark, print its result; missed targets are told, not failed."""
    parser = argparse.ArgumentParser(description=sys.modules[bench.__module__].__doc__)
    parser.add_argument("--quick", action="store_true", help="tiny counts, fast sandboxes: not for figures")
    parser.add_argument("--repeats", type=int, default=None, metavar="N", help="do the main step N times")
    parser.add_argument(
        "--json", type=Path, default=None, metavar="FILE", help="write the result there, raw numbers too"
    )
    given = parser.parse_args(argv)
    started_s = time.perf_counter()
    result = bench(Options(is_quick=given.quick, repeats=given.repeats, json_file=given.json))
    result.took_s = time.perf_counter() - started_s
    print(as_text(result), flush=True)
    if given.json is not None:
        given.json.write_bytes(msgspec.json.encode(result))
    return 0


def say(text: str) -> None:
    """Tell on stderr what is being done: the long runs are silent otherwise."""
    print(text, file=sys.stderr, flush=True)
