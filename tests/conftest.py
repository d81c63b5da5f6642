"""What all tests share: the folder of recorded answers, and a manual clock."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from answers import GOLDEN, RECORDED
from mariadb import MariaDb, is_installed, running_mariadb
from weedhounds.clock import ManualClock


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
