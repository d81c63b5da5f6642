"""The sandbox on a socket: quick to start, quiet, and ended by a signal."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator

import aiohttp
import pytest

from weedhounds.errors import ConfigError
from weedhounds.sandbox import SandboxConfig, run_sandbox

PROGRAM = """
import sys
from weedhounds.sandbox import SandboxConfig, run_sandbox
run_sandbox(SandboxConfig(port=0, latency_median_ms=0.0, seed=int(sys.argv[1])), lambda address: print(address, flush=True))
print("ended", flush=True)
"""


class Running:
    def __init__(self, seed: int = 1) -> None:
        started = time.monotonic()
        self.process = subprocess.Popen(
            [sys.executable, "-c", PROGRAM, str(seed)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        assert self.process.stdout is not None
        self.address = self.process.stdout.readline().strip()
        self.ready_s = time.monotonic() - started

    def stop(self, number: signal.Signals = signal.SIGTERM) -> tuple[int, str, str]:
        if self.process.poll() is None:
            self.process.send_signal(number)
        out, err = self.process.communicate(timeout=10)
        return self.process.returncode, out, err


@pytest.fixture(scope="module")
def running() -> Iterator[Running]:
    server = Running()
    yield server
    server.stop()


async def fetch(url: str) -> bytes:
    async with aiohttp.ClientSession() as session, session.get(url) as answer:
        return await answer.read()


def test_it_listens_on_a_free_port_within_its_time(running: Running) -> None:
    assert running.address.startswith("http://127.0.0.1:")
    assert running.ready_s < 15


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_cleanly_and_it_prints_nothing_itself(number: signal.Signals) -> None:
    assert Running().stop(number) == (0, "ended\n", "")


async def test_two_processes_of_one_seed_give_the_same_bytes() -> None:
    servers = [Running(seed) for seed in (5, 5, 6)]
    try:
        path = "/weedmaps/v2/listings?filter[bounding_radius]=30mi&filter[bounding_latlng]=39.74,-104.98&page_size=150"
        bodies = [await fetch(server.address + path) for server in servers]
    finally:
        for server in servers:
            server.stop()
    assert bodies[0] == bodies[1] != bodies[2]


async def test_down_closes_the_connection_without_an_answer(running: Running) -> None:
    url = f"{running.address}/leafly/strains/v1/blue-dream"
    async with aiohttp.ClientSession() as session:
        await session.post(f"{running.address}/_sandbox/fault", json={"origin": "leafly", "fault": "down"})
        with pytest.raises(aiohttp.ServerDisconnectedError):
            await session.get(url)
        await session.post(f"{running.address}/_sandbox/reset")
        async with session.get(url) as answer:
            assert answer.status == 200


async def test_a_huge_answer_is_streamed_and_stops_when_the_client_goes(running: Running) -> None:
    async with aiohttp.ClientSession() as session:
        await session.post(f"{running.address}/_sandbox/fault", json={"origin": "leafly", "fault": "huge"})
        async with session.get(f"{running.address}/leafly/strains/v1/blue-dream") as answer:
            assert len(await answer.content.readexactly(2_000_000)) == 2_000_000
            answer.close()
        await session.post(f"{running.address}/_sandbox/fault", json={"origin": "leafly", "fault": None})
        async with session.get(f"{running.address}/leafly/strains/v1/og-kush") as after:
            assert (await after.json())["slug"] == "og-kush"


async def test_percent_encoded_paths_are_understood(running: Running) -> None:
    body = await fetch(f"{running.address}/leafly/strains/v1/blue%2Ddream")
    assert b'"slug":"blue-dream"' in body


def test_a_taken_port_is_told_in_one_line() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(ConfigError, match=f"cannot listen on 127.0.0.1:{port}"):
            run_sandbox(SandboxConfig(port=port), lambda address: None)
