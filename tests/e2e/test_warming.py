"""Warming as a user does it: a sandbox process, ``cache warm``, then hunts that make no call."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sandboxes import RunningSandbox, node_settings, running_sandbox
from weedhounds import Node

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(120)]

NEAR = ("--near", "Denver, CO", "--radius-km", "40")


@pytest.fixture(scope="module")
def market() -> Iterator[RunningSandbox]:
    with running_sandbox("--latency-ms", "10", "--latency-p99-ms", "40", "--seed", "5") as sandbox:
        yield sandbox


def weedhounds(market: RunningSandbox, folder: Path, *words: str) -> dict[str, Any]:
    """Run one command against the market; return the document that it prints."""
    command = [sys.executable, "-m", "weedhounds", *words, "--sandbox", market.url, "--data-dir", str(folder), "--json"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=90, cwd=folder, check=False)
    assert done.returncode == 0, done.stderr
    document: dict[str, Any] = json.loads(done.stdout)
    return document


def test_the_first_hunts_after_warming_make_no_call(market: RunningSandbox, tmp_path: Path) -> None:
    market.reset()
    report = weedhounds(market, tmp_path, "cache", "warm", *NEAR)
    made = market.calls()
    assert (report["missing"], report["origin_calls"]) == ([], made)
    assert report["shops"] >= 30
    assert report["loaded"] >= report["records"] >= 150
    assert report["strains"] >= 20
    for query in ("Blue Dream", "gummies", ""):
        answer = weedhounds(market, tmp_path, "hunt", query, *NEAR)
        assert (query, answer["meta"]["origin_calls"], answer["missing"]) == (query, 0, [])
        assert answer["meta"]["offers_total"] > 0
    assert market.calls() == made


def test_warming_again_fetches_nothing(market: RunningSandbox, tmp_path: Path) -> None:
    near = ("--near", "Denver, CO", "--radius-km", "5")
    first = weedhounds(market, tmp_path, "cache", "warm", *near)
    made = market.calls()
    again = weedhounds(market, tmp_path, "cache", "warm", *near)
    assert first["origin_calls"] > 0
    assert (again["origin_calls"], again["loaded"], again["rounds"]) == (0, 0, 1)
    assert again["records"] == first["records"]
    assert market.calls() == made


def test_warming_keeps_to_small_budgets_and_goes_on_where_it_ended(tmp_path: Path) -> None:
    near = ("--near", "Denver, CO", "--radius-km", "8", "--strains", "0")
    flags = ("--latency-ms", "5", "--latency-p99-ms", "20", "--seed", "5", "--budgets", "real")
    with running_sandbox(*flags) as market:
        first = weedhounds(market, tmp_path, "cache", "warm", *near, "--limit-s", "4")
        log = market.control("/_sandbox/calls?log=1")["log"]
        second = weedhounds(market, tmp_path, "cache", "warm", *near, "--limit-s", "8")
        made = market.calls()
    assert [call for call in log if call["status"] == 429] == []
    assert any("budget" in each["why"] for each in first["missing"])
    assert second["records"] > first["records"] > 0
    assert (len(log), made) == (first["origin_calls"], first["origin_calls"] + second["origin_calls"])


def test_an_origin_that_is_down_is_said_and_fetched_when_it_is_back(market: RunningSandbox, tmp_path: Path) -> None:
    near = ("--near", "Denver, CO", "--radius-km", "8", "--strains", "0")
    market.reset()
    market.fault("leafly", "down")
    first = weedhounds(market, tmp_path, "cache", "warm", *near, "--limit-s", "4")
    market.reset()
    second = weedhounds(market, tmp_path, "cache", "warm", *near)
    assert {each["origin"] for each in first["missing"]} == {"leafly"}
    assert first["records"] > 0
    assert (second["missing"], second["records"] > first["records"]) == ([], True)
    assert second["loaded"] == second["records"] - first["records"]


async def test_a_running_node_keeps_what_is_wanted_fresh_and_leaves_the_rest_to_expire(tmp_path: Path) -> None:
    flags = ("--latency-ms", "20", "--latency-p99-ms", "60", "--seed", "5", "--speed", "120")
    with running_sandbox(*flags) as market:
        settings = node_settings(
            market, tmp_path, clock={"source": "sandbox"},
            cache={"strategies": {"product_pricing": "fixed", "dispensary_menu": "fixed"}},
        )  # fmt: skip
        async with Node(settings) as node:
            near = await node.dispensaries("Denver, CO", radius_km=10)
            keys = [k.replace("dispensary_info", "product_pricing") for s in near.dispensaries for k in s.listings][:6]
            for key in keys:
                await node.get(key)
            before = node.stats()
            until = node.clock.now() + 1_500.0  # two lifetimes and a half of a price list: 13 s
            while node.clock.now() < until:
                for key in keys[:3]:
                    await node.get(key)
                await asyncio.sleep(0.02)
            after = node.stats()
            assert after.refresh.refreshes >= 3
            assert after.refresh.failed == 0
            assert after.read.requests.loaded == before.read.requests.loaded  # nobody waited
            assert after.read.revalidated - before.read.revalidated < after.read.requests.requests / 100
            assert sum(o.calls for o in after.origins.values()) == market.calls()
