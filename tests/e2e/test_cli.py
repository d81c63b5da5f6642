"""The command line as a user starts it: real processes, a real sandbox, loopback."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil  # type: ignore[import-untyped]
import pytest

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(120)]

WEEDHOUNDS = (sys.executable, "-m", "weedhounds")
READY_S = 60.0
HUNT = "/v1/hunt?q=Blue%20Dream&near=Denver,%20CO&radius_km=40"


def environment(tmp_path: Path) -> dict[str, str]:
    """Return an environment whose data and temporary folders lie in ``tmp_path``."""
    (tmp_path / "tmp").mkdir(exist_ok=True)
    return {**os.environ, "XDG_DATA_HOME": str(tmp_path / "data"), "TMPDIR": str(tmp_path / "tmp")}


def ran(tmp_path: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run one command to its end."""
    return subprocess.run(
        [*WEEDHOUNDS, *arguments],
        cwd=tmp_path, env=environment(tmp_path), capture_output=True, text=True, timeout=READY_S,
    )  # fmt: skip


@contextmanager
def running(tmp_path: Path, *arguments: str) -> Iterator[tuple[subprocess.Popen[str], dict[str, Any]]]:
    """Run a command that prints a document once it is ready; yield both; kill it if it is still there."""
    process = subprocess.Popen(
        [*WEEDHOUNDS, *arguments, "--json"],
        cwd=tmp_path, env=environment(tmp_path), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stdout is not None
    try:
        yield process, json.loads(process.stdout.readline())
    finally:
        process.kill()
        process.communicate(timeout=READY_S)


def offspring(process: subprocess.Popen[str]) -> list[psutil.Process]:
    """Return the processes that a command has started, theirs included."""
    found: list[psutil.Process] = psutil.Process(process.pid).children(recursive=True)
    return found


def survivors(processes: list[psutil.Process]) -> list[psutil.Process]:
    """Return those that are still there after a while."""
    alive: list[psutil.Process] = psutil.wait_procs(processes, timeout=READY_S)[1]
    return alive


def asked(url: str) -> dict[str, Any]:
    """Return the JSON answer of an address."""
    with urllib.request.urlopen(url, timeout=READY_S) as answer:
        document: dict[str, Any] = json.load(answer)
    return document


def test_a_hunt_starts_its_own_market_and_leaves_nothing_behind(tmp_path: Path) -> None:
    got = ran(tmp_path, "hunt", "--sandbox", "Blue Dream", "--near", "Denver, CO", "--radius-km", "40", "--json")
    assert (got.returncode, got.stderr) == (0, "")
    answer = json.loads(got.stdout)
    assert answer["meta"]["offers_total"] == len(answer["offers"]) >= 50
    assert 150 <= answer["meta"]["origin_calls"] <= 300
    assert list((tmp_path / "tmp").iterdir()) == []
    assert not (tmp_path / "data" / "weedhounds" / "weedhounds.sqlite3").exists()


def test_a_node_answers_again_without_a_call_and_ends_with_all_that_it_started(tmp_path: Path) -> None:
    with running(tmp_path, "up", "--sandbox", "--port", "0") as (process, ready):
        first, second = asked(ready["url"] + HUNT), asked(ready["url"] + HUNT)
        calls = asked(ready["sandbox_url"] + "/_sandbox/calls")["by_origin"]
        started = offspring(process)
        process.send_signal(signal.SIGTERM)
        assert process.wait(READY_S) == 0
        assert survivors(started) == []
    assert first["meta"]["origin_calls"] == sum(calls.values()) >= 150
    assert second["meta"]["origin_calls"] == 0
    assert [each["product_id"] for each in second["offers"]] == [each["product_id"] for each in first["offers"]]
    assert len(started) >= 2
    assert list((tmp_path / "tmp").iterdir()) == []


@pytest.mark.parametrize("end", [signal.SIGINT, signal.SIGTERM])
def test_a_node_that_is_told_to_stop_answers_what_it_was_asked(tmp_path: Path, end: signal.Signals) -> None:
    with (
        running(tmp_path, "sandbox", "--port", "0", "--latency-ms", "400") as (_, market),
        running(tmp_path, "up", "--sandbox", market["url"], "--port", "0") as (process, ready),
        ThreadPoolExecutor(1) as pool,
    ):
        assert ready["sandbox_url"] == market["url"]
        answer = pool.submit(asked, ready["url"] + HUNT)
        while not sum(asked(market["url"] + "/_sandbox/calls")["by_origin"].values()):
            assert not answer.done()
        process.send_signal(end)
        assert answer.result(READY_S)["offers"]
        assert process.wait(READY_S) == 0


def test_a_node_that_is_killed_takes_its_market_with_it(tmp_path: Path) -> None:
    with running(tmp_path, "up", "--sandbox", "--port", "0") as (process, _):
        started = offspring(process)
        process.kill()
        assert survivors(started) == []


@pytest.mark.parametrize(("end", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_hunt_that_is_interrupted_ends_at_once_and_says_nothing(
    tmp_path: Path, end: signal.Signals, code: int
) -> None:
    with running(tmp_path, "sandbox", "--port", "0", "--latency-ms", "20000") as (_, market):
        process = subprocess.Popen(
            [*WEEDHOUNDS, "hunt", "--near", "Denver, CO", "--deadline-s", "60", "--sandbox", market["url"], "--json"],
            cwd=tmp_path, env=environment(tmp_path), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        while not sum(asked(market["url"] + "/_sandbox/calls")["by_origin"].values()):
            assert process.poll() is None
        process.send_signal(end)
        out, err = process.communicate(timeout=READY_S)
    assert (process.returncode, out, err) == (code, "", "")


@pytest.mark.parametrize("end", [signal.SIGINT, signal.SIGTERM])
def test_a_market_alone_runs_until_told_to_stop(tmp_path: Path, end: signal.Signals) -> None:
    with running(tmp_path, "sandbox", "--port", "0", "--seed", "5") as (process, ready):
        assert ready["seed"] == 5
        assert asked(ready["url"] + "/_sandbox/clock")["speed"] == 1.0
        process.send_signal(end)
        out, err = process.communicate(timeout=READY_S)
        assert (process.returncode, out, err) == (0, "", "")


def test_a_port_in_use_is_one_line(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        for command in ("up", "sandbox"):
            got = ran(tmp_path, command, "--port", port)
            assert (got.returncode, got.stdout) == (1, "")
            assert got.stderr.startswith("weedhounds: cannot listen on ")
            assert "Address already in use" in got.stderr
            assert got.stderr.count("\n") == 1


def test_a_data_folder_that_cannot_be_one_is_one_line_and_the_market_is_gone(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    before = set(psutil.pids())
    got = ran(tmp_path, "up", "--sandbox", "--port", "0", "--data-dir", "file")
    assert (got.returncode in (1, 2), got.stdout) == (True, "")
    assert got.stderr.count("\n") == 1
    assert "internal error" not in got.stderr
    ours = [
        p
        for p in psutil.process_iter(["cmdline"])
        if p.pid not in before and "--until-eof" in (p.info["cmdline"] or [])
    ]
    assert survivors([p for p in ours if p.ppid() in (1, os.getpid())]) == []


def test_a_sandbox_that_is_not_there_is_one_line(tmp_path: Path, unused_tcp_port: int) -> None:
    got = ran(tmp_path, "hunt", "--near", "Denver, CO", "--sandbox", f"127.0.0.1:{unused_tcp_port}")
    assert (got.returncode, got.stdout) == (1, "")
    assert got.stderr.startswith("weedhounds: ")
    assert got.stderr.count("\n") == 1


def test_output_to_a_reader_that_has_gone_is_no_traceback(tmp_path: Path) -> None:
    process = subprocess.Popen(
        [*WEEDHOUNDS, "config", "show"],
        cwd=tmp_path, env=environment(tmp_path), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stdout is not None
    process.stdout.close()
    assert process.stderr is not None
    err = process.stderr.read()
    process.stderr.close()
    process.wait(READY_S)
    assert "Traceback" not in err
    assert err.count("\n") <= 1
