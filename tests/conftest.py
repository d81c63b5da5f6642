"""What all tests share: the folder of recorded answers, a manual clock, an origin to fail."""

from __future__ import annotations

import os
import signal
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from aiohttp import web

from answers import GOLDEN, RECORDED
from mariadb import MariaDb, is_installed, running_mariadb
from origin_server import CLOCK, SETTINGS, OriginServer
from weedhounds.clock import ManualClock
from weedhounds.sources.fetch import Fetcher


def pytest_configure() -> None:
    """Let the programs that tests start be interrupted, also where the run itself ignores it (in the background)."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip tests of recorded answers where there are none, but fail them in CI."""
    if item.get_closest_marker("recorded") and not RECORDED.is_dir():
        message = f"the recorded answers are not there: {RECORDED}"
        if os.environ.get("CI"):
            pytest.fail(message)
        pytest.skip(message)


@pytest.fixture
def recorded() -> Path:
    """Return the folder of recorded answers; use with the mark ``recorded``."""
    return RECORDED


@pytest.fixture
def golden() -> Path:
    """Return the folder of hand-made answers."""
    return GOLDEN


@pytest.fixture
def clock() -> ManualClock:
    """Return a clock that moves only when told."""
    return ManualClock()


@pytest.fixture(scope="session")
def mariadb() -> Iterator[MariaDb]:
    """Yield the private server of this test run, started when the first test wants it.

    Its time zone is far from any node's, so that whoever reads the server's clock is found out.
    """
    if not is_installed() and not os.environ.get("CI"):
        pytest.skip("MariaDB is not installed: scripts/test-setup does it")
    with running_mariadb(["--default-time-zone=+05:45"]) as server:
        yield server


@pytest.fixture
def mysql_url(mariadb: MariaDb) -> str:
    """Return the address of a database with empty tables."""
    return mariadb.empty_database()


@pytest.fixture
async def server() -> AsyncIterator[OriginServer]:
    """Return an origin on loopback."""
    origin = OriginServer()
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", origin.handle)
    runner = web.AppRunner(app, handler_cancellation=True, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    origin.base_url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    yield origin
    await runner.cleanup()


@pytest.fixture
async def fetcher() -> AsyncIterator[Fetcher]:
    """Return a client that is open."""
    async with Fetcher(SETTINGS, CLOCK) as opened:
        yield opened
