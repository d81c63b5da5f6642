"""Two node processes on one database and one market: each thing is loaded once, and purges reach both."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest

from mariadb import running_mariadb
from sandboxes import RunningSandbox, node_settings, running_sandbox
from sql_kits import Kit, kit, until
from weedhounds import Node
from weedhounds.cache.purge import Scope
from weedhounds.model.datatypes import DataType
from weedhounds.model.keys import RecordKey

__all__ = ["kit"]

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(120)]

ROOT = Path(__file__).resolve().parent.parent.parent
TIMES = 500
"""Requests for one key at once in each of two processes."""


@pytest.fixture(scope="module")
def market() -> Iterator[RunningSandbox]:
    with running_sandbox("--latency-ms", "150", "--latency-p99-ms", "300", "--seed", "7") as sandbox:
        yield sandbox


class Asker:
    """A node in another process."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def tell(self, question: dict[str, Any]) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(question) + "\n")
        self._process.stdin.flush()

    def answer(self) -> Any:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        assert line, "the node ended without a word"
        return json.loads(line)

    def ask(self, question: dict[str, Any]) -> Any:
        self.tell(question)
        return self.answer()


@contextmanager
def asker(market: RunningSandbox, kit: Kit, folder: Path) -> Iterator[Asker]:
    command = [sys.executable, str(ROOT / "benchmarks" / "sql_asker.py"), market.url, kit.url, str(folder)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield Asker(process)
            assert process.stdin is not None
            process.stdin.close()
            assert process.wait(20) == 0
        finally:
            process.kill()


def test_a_thousand_requests_for_one_cold_menu_in_two_processes_make_one_call(
    market: RunningSandbox, kit: Kit, tmp_path: Path
) -> None:
    with ExitStack() as stack:
        askers = [stack.enter_context(asker(market, kit, tmp_path / str(n))) for n in range(2)]
        assert [each.answer() for each in askers] == ["ready", "ready"]
        menus = [key for key in askers[0].ask({"shops": "Denver, CO"}) if ":weedmaps:" in key or ":dutchie:" in key]
        assert askers[1].ask({"shops": "Denver, CO"})
        one_page = 0
        for key in menus:
            before = market.calls()
            for each in askers:
                each.tell({"get": key, "times": TIMES})
            answers = [each.answer() for each in askers]
            calls = market.calls() - before
            assert [answer["found"] for answer in answers] == [TIMES, TIMES]
            assert answers[0]["digests"] == answers[1]["digests"]
            assert sum(answer["origin_calls"] for answer in answers) == calls
            # A menu of several pages is loaded once too; by whom its calls show.
            assert 0 in [answer["origin_calls"] for answer in answers]
            one_page += calls == 1
            if one_page == 3:
                break
        assert one_page == 3
        assert sum(answer["spared"] for answer in answers) >= 3


async def test_a_purge_by_one_node_reaches_the_memory_of_the_other(
    market: RunningSandbox, kit: Kit, tmp_path: Path
) -> None:
    options = {"database": {"url": kit.url}}
    async with (
        Node(node_settings(market, tmp_path / "one", **options)) as one,
        Node(node_settings(market, tmp_path / "two", **options)) as two,
    ):
        shops = await one.dispensaries("Denver, CO", radius_km=20)
        listing = RecordKey.parse(next(t for shop in shops.dispensaries for t in shop.listings if ":dutchie:" in t))
        key = RecordKey(DataType.DISPENSARY_MENU, "dutchie", listing.native_id)
        assert await one.get(str(key)) is not None
        await one._database.tier.flush()
        assert await two.get(str(key)) is not None
        assert await two.get(str(key), offline=True) is not None
        assert await one.purge([Scope("origin", "dutchie")], "a test") >= 1
        assert await one.get(str(key), offline=True) is None

        async def is_gone() -> bool:
            return await two.get(str(key), offline=True) is None

        await until(is_gone)
        assert kit.rows("SELECT why FROM tombstones") == [("a test",)]
        # What is fetched after the purge is welcome.
        assert await two.get(str(key)) is not None
        await two._database.tier.flush()
        assert await one.get(str(key), offline=True) is not None


async def test_a_hunt_of_a_second_node_finds_what_the_first_has_loaded(
    market: RunningSandbox, kit: Kit, tmp_path: Path
) -> None:
    options = {"database": {"url": kit.url}}
    async with Node(node_settings(market, tmp_path / "one", **options)) as one:
        cold = await one.hunt("Blue Dream", near="Denver, CO", radius_km=10, deadline_s=20)
    before = market.calls()
    async with Node(node_settings(market, tmp_path / "two", **options)) as two:
        warm = await two.hunt("Blue Dream", near="Denver, CO", radius_km=10, deadline_s=20)
    assert market.calls() == before
    assert (warm.meta.origin_calls, warm.meta.by_tier.sql) == (0, warm.meta.records)
    assert [offer.price for offer in warm.offers] == [offer.price for offer in cold.offers]


@pytest.mark.parametrize("when", ["before", "during"])
async def test_a_node_goes_on_without_its_database(market: RunningSandbox, tmp_path: Path, when: str) -> None:
    """The server is not there at the start, or goes while the node runs: memory and origins answer."""
    with running_mariadb() as server:
        options = {"database": {"url": server.new_database(), "timeout_s": 0.5}}
        if when == "before":
            server.stop()
        async with Node(node_settings(market, tmp_path, **options)) as node:
            if when == "during":
                await node.hunt("Blue Dream", near="Denver, CO", radius_km=3, deadline_s=20)
                server.kill()
            cold = await node.hunt("Blue Dream", near="Denver, CO", radius_km=15, deadline_s=20)
            assert cold.offers
            assert cold.missing == ()
            again = await node.hunt("Blue Dream", near="Denver, CO", radius_km=15, deadline_s=20)
            assert again.meta.origin_calls == 0
            assert node.stats().read.tier_errors > 0
