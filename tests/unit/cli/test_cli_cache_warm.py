"""``cache warm``: flags, the report, exit codes."""

from __future__ import annotations

import json
from pathlib import Path

import msgspec
import pytest

from command_lines import Run
from sample_answers import DENVER, FakeNode, hunt_answer
from weedhounds.cli import remote
from weedhounds.cli.cache_warm import report_text
from weedhounds.cli.remote import RemoteHunt
from weedhounds.query.answer import ByTier, HuntAnswer, Missing
from weedhounds.warming.place import WarmReport

WARM = ("cache", "warm", "--near", "Denver, CO")
UNPLACED = Missing("weedmaps", "shop Nowhere (9)", "not placed: no position known")


def test_json_is_the_report_in_one_document(cli: Run, fake: FakeNode) -> None:
    ran = cli(*WARM, "--json")
    assert (ran.code, ran.err) == (0, "")
    report = json.loads(ran.out)
    elapsed_s = report.pop("elapsed_s")
    assert 0 <= elapsed_s < 10
    assert report == {
        "place": {"name": "Denver, CO", "lat": 39.7392, "lon": -104.9847},
        "shops": 1, "records": 2, "loaded": 0, "strains": 1, "rounds": 1, "origin_calls": 0, "missing": [],
    }  # fmt: skip


def test_the_flags_reach_the_node(cli: Run, fake: FakeNode) -> None:
    cli(*WARM, "--radius-km", "40", "--limit-s", "20", "--strains", "0", "--data-dir", "here", "--json")
    deadline_s = fake.asked.pop("deadline_s")
    assert isinstance(deadline_s, float)
    assert 19 < deadline_s <= 20
    fake.asked.pop("progress")
    assert fake.asked == {"query": "", "near": "Denver, CO", "radius_km": 40.0}
    assert fake.settings.data_dir == Path("here")


def test_strains_are_warmed_unless_none_are_wanted(cli: Run, fake: FakeNode) -> None:
    cli(*WARM)
    assert (fake.asked["query"], fake.asked["radius_km"]) == ("blue-dream", 0.0)


def test_a_person_reads_lines(cli: Run, fake: FakeNode) -> None:
    lines = cli(*WARM).out.splitlines()
    assert lines[0] == "1 shop near Denver, CO: 2 records held, 1 strain"
    assert lines[1].startswith("0 records fetched with 0 origin calls in 1 round, ")


def test_what_is_missing_is_said_and_no_failure_where_something_is_held(cli: Run, fake: FakeNode) -> None:
    fake.answer = hunt_answer(0, missing=(UNPLACED,))
    ran = cli(*WARM)
    assert ran.code == 0
    assert ran.out.endswith("missing: weedmaps: shop Nowhere (9): not placed: no position known\n")


def test_it_fails_where_nothing_could_be_read(cli: Run, fake: FakeNode) -> None:
    fake.answer = hunt_answer(0, missing=(UNPLACED,), records=0)
    assert cli(*WARM, "--json").code == 1


@pytest.mark.parametrize(
    ("flags", "why"),
    [
        (("--limit-s", "0"), "--limit-s must be over 0 and at most 86400, not 0"),
        (("--limit-s", "nan"), "--limit-s must be over 0 and at most 86400, not nan"),
        (("--sandbox", "--node", "http://127.0.0.1:1"), "give --sandbox or --node, not both"),
        (("--node", "127.0.0.1"), "not the address of a node: 127.0.0.1 (expected http://HOST:PORT)"),
    ],
)
def test_bad_input_is_said_in_one_line(cli: Run, fake: FakeNode, flags: tuple[str, ...], why: str) -> None:
    assert cli(*WARM, *flags) == (2, "", f"weedhounds: {why}\n")
    assert fake.asked == {}


def test_an_unknown_place_is_bad_input(cli: Run, fake: FakeNode) -> None:
    assert cli("cache", "warm", "--near", "Atlantis") == (2, "", "weedhounds: unknown place 'Atlantis'\n")


def test_a_running_node_is_asked_over_http(cli: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[str, RemoteHunt]] = []

    async def ask_node(url: str, hunt: RemoteHunt) -> HuntAnswer:
        asked.append((url, hunt))
        return hunt_answer(1)

    monkeypatch.setattr(remote, "ask_node", ask_node)
    ran = cli(*WARM, "--node", "http://127.0.0.1:8420", "--radius-km", "5", "--json")
    assert (ran.code, json.loads(ran.out)["strains"]) == (0, 1)
    assert [(url, hunt.query, hunt.near, hunt.radius_km, hunt.limit) for url, hunt in asked] == [
        ("http://127.0.0.1:8420", "", "Denver, CO", 5.0, None),
        ("http://127.0.0.1:8420", "blue-dream", "Denver, CO", 0.0, None),
    ]


def test_texts_of_origins_cannot_break_the_lines() -> None:
    report = WarmReport(
        place=msgspec.structs.replace(DENVER, name="Den\nver"), shops=2, records=0, loaded=0, strains=0, rounds=1,
        origin_calls=0, elapsed_s=0.5, missing=(Missing("jane", "menu of A\nB", "blocked\x1b[31m"),),
    )  # fmt: skip
    assert report_text(report).splitlines() == [
        "2 shops near Den ver: 0 records held, 0 strains",
        "0 records fetched with 0 origin calls in 1 round, 0.5 s",
        "missing: jane: menu of A B: blocked [31m",
    ]


def test_by_tier_of_a_sample_is_from_memory() -> None:
    assert hunt_answer().meta.by_tier == ByTier(memory=2)
