"""``cache stats``: the figures of a running node, or of a data folder that nobody serves."""

from __future__ import annotations

import asyncio
import json
import os
import pty
import re
import select
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import msgspec
import pytest

from command_lines import Run
from sample_answers import node_stats
from sample_entries import menu_entry
from weedhounds.cache.sql import SqliteTier
from weedhounds.cli import remote
from weedhounds.cli.stats_table import folder_text, node_text
from weedhounds.clock import SystemClock
from weedhounds.node import NodeStats


class Served(ThreadingHTTPServer):
    """Answers every request with one body, and counts them."""

    body = msgspec.json.encode(node_stats())
    status = 200

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.asked: list[str] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class _Handler(BaseHTTPRequestHandler):
    server: Served

    def do_GET(self) -> None:
        self.server.asked.append(self.path)
        self.send_response(self.server.status)
        self.send_header("content-length", str(len(self.server.body)))
        self.end_headers()
        self.wfile.write(self.server.body)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


@pytest.fixture
def served() -> Iterator[Served]:
    with Served() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def test_the_figures_of_a_node_are_shown_as_tables(cli: Run, served: Served) -> None:
    ran = cli("cache", "stats", "--node", served.url + "/")
    assert (ran.code, ran.err, served.asked) == (0, "", ["/v1/stats"])
    lines = [" ".join(line.split()) for line in ran.out.splitlines()]
    assert lines[0] == f"node at {served.url}/, up 1m"
    for line in (
        "data type requests hits ratio loaded stale missing",
        "dispensary_menu 2 0 0.0 % 1 0 1",
        "tier data type hits misses ratio stale evicted entries size p50 p99",
        "memory dispensary_menu 0 2 0.0 % 0",
        "memory all 0 2 0.0 % 0 0 1 2.0 KiB 25 us 29.9 us",
        "weedmaps 2 0 0 1 1.2 KiB 150 ms 199 ms",
        "origin calls/s tokens day left breaker opened challenged hedged won reused",
        "weedmaps 2 4 37 half-open 1 2 3 1 75.0 %",
        "price history: 3 changes of 1 price list kept, 0 past their retention, 0 waiting, 0 not kept",
    ):
        assert line in lines, line


def test_json_is_what_the_node_tells(cli: Run, served: Served) -> None:
    ran = cli("cache", "stats", "--node", served.url, "--json")
    assert ran.code == 0
    assert json.loads(ran.out) == json.loads(served.body)


def test_watching_without_a_terminal_shows_it_once(cli: Run, served: Served) -> None:
    ran = cli("cache", "stats", "--watch", "--node", served.url)
    assert (ran.code, len(served.asked)) == (0, 1)
    assert ran.out == cli("cache", "stats", "--node", served.url).out


@pytest.mark.parametrize("body", [b"", b"<html>", b"{}", b'{"uptime_s": "x"}', b"\xff"])
def test_what_is_no_node_is_said_so(cli: Run, served: Served, body: bytes) -> None:
    served.body = body
    ran = cli("cache", "stats", "--node", served.url)
    assert (ran.code, ran.out) == (1, "")
    assert "does not tell the figures of a WeedHounds node" in ran.err


def test_a_node_that_fails_is_said_so(cli: Run, served: Served) -> None:
    served.status, served.body = 503, b'{"detail": "the node is starting or stopping"}'
    ran = cli("cache", "stats", "--node", served.url)
    assert (ran.code, ran.err.count("\n")) == (1, 1)
    assert "starting or stopping" in ran.err


def test_an_answer_without_end_is_cut_off(cli: Run, served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(remote, "_MAX_BODY_BYTES", 1 << 20)
    served.body = b" " * (2 << 20)
    assert "more than 1 MB" in cli("cache", "stats", "--node", served.url).err


def test_a_node_that_is_not_there_is_said_so(cli: Run, unused_tcp_port: int) -> None:
    ran = cli("cache", "stats", "--node", f"http://127.0.0.1:{unused_tcp_port}")
    assert (ran.code, "cannot ask the node at" in ran.err) == (1, True)


@pytest.mark.parametrize(
    "arguments",
    [
        ("--node", "http://127.0.0.1:1", "--data-dir", "."),
        ("--watch", "--json"),
        ("--watch", "--data-dir", "."),
        ("--data-dir", "no-such-folder"),
        ("--node", "127.0.0.1:8420"),
        ("--node", "ftp://127.0.0.1"),
    ],
)
def test_what_cannot_be_asked_is_bad_input(cli: Run, arguments: tuple[str, ...]) -> None:
    ran = cli("cache", "stats", *arguments)
    assert (ran.code, ran.out, ran.err.count("\n")) == (2, "", 1)
    assert not Path("no-such-folder").exists()


async def _hold(folder: Path) -> None:
    tier = SqliteTier(folder / "weedhounds.sqlite3", clock=SystemClock())
    await tier.open()
    await tier.put_many([menu_entry(n) for n in range(3)])
    await tier.close()


def test_a_data_folder_tells_what_it_holds_without_a_node_or_an_origin(
    cli: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("WEEDHOUNDS_SANDBOX_URL", "http://127.0.0.1:1")
    monkeypatch.setenv("WEEDHOUNDS_CLOCK__SOURCE", "sandbox")
    folder = tmp_path / "held"
    asyncio.run(_hold(folder))
    ran = cli("cache", "stats", "--data-dir", str(folder))
    assert (ran.code, ran.err) == (0, "")
    rows = [line.split() for line in ran.out.splitlines()]
    assert rows[2] == ["tier", "data", "type", "entries", "size"]
    assert ["sql", "all", "3"] in [row[:3] for row in rows]
    told = msgspec.json.decode(cli("cache", "stats", "--data-dir", str(folder), "--json").out, type=NodeStats)
    assert told.tiers["sql"].entries == 3


def test_a_damaged_data_folder_is_said_so(cli: Run, tmp_path: Path) -> None:
    (tmp_path / "weedhounds.sqlite3").write_bytes(b"this is no database" * 100)
    ran = cli("cache", "stats", "--data-dir", str(tmp_path))
    assert (ran.code, ran.out, ran.err.count("\n")) == (1, "", 1)


@pytest.mark.parametrize("width", [40, 60, 80, 100, 200])
def test_tables_fit_a_terminal_of_any_width(width: int) -> None:
    for text in (node_text(node_stats(), "http://x\x1b[31m", width), folder_text(node_stats(), "/x", width)):
        assert "\x1b[31m" not in text
        plain = [line for line in text.splitlines() if "\x1b" in line]
        assert all(len(_shown(line)) <= width for line in plain)


def _shown(line: str) -> str:
    return re.sub(r"\x1b\[[0-9;]*m", "", line).rstrip()


@pytest.mark.timeout(30)
def test_on_a_terminal_the_table_stays_live_until_interrupted(served: Served) -> None:
    main, side = pty.openpty()
    command = [sys.executable, "-m", "weedhounds", "cache", "stats", "--watch", "--node", served.url]
    environment = {**os.environ, "COLUMNS": "120", "LINES": "50", "TERM": "xterm"}
    with subprocess.Popen(command, stdout=side, stderr=subprocess.PIPE, env=environment) as process:
        os.close(side)
        screen = b""
        while len(served.asked) < 3 or screen.count(b"price history:") < 3:
            ready, _, _ = select.select([main], [], [], 20)
            assert ready, "nothing was shown for 20 s"
            screen += os.read(main, 1 << 16)
        process.send_signal(signal.SIGINT)
        assert process.stderr is not None
        errors = process.stderr.read()
    os.close(main)
    assert (process.returncode, errors) == (130, b"")
    assert b"\x1b[1A" in screen or b"\x1b[2K" in screen  # drawn again in its place
