from __future__ import annotations

import json
import shutil
import xml.etree.ElementTree as ET
from pathlib import Path

import msgspec
import pytest

from command_lines import Run
from sample_answers import FakeNode
from weedhounds.sim import specs
from weedhounds.sim.world_files import write_world
from weedhounds.sim.worlds import draw_world

SMALL = {"days": 9, "stores": 2, "products": 2, "labs": 1, "strains": 2, "terpenes": 2, "requests_per_day": 300.0}
POLICY = "def make(price):\n    return lambda obs: 3600.0 * price\n"


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of a small world with its oracle's costs."""
    folder = tmp_path_factory.mktemp("drawn")
    write_world(draw_world(msgspec.structs.replace(specs.STANDARD, **SMALL), seed=4), folder)
    return folder


@pytest.fixture
def world(drawn: Path, tmp_path: Path) -> Path:
    """Return a copy of the small world, and put a policy into the working folder."""
    (tmp_path / "mine.py").write_text(POLICY)
    return Path(shutil.copytree(drawn, tmp_path / "world"))


def files(world: Path, *, has_items: bool = True) -> list[str]:
    flags = ["--changes", str(world / "changes.csv.gz"), "--requests", str(world / "requests.csv.gz")]
    return [*flags, "--items", str(world / "items.csv")] if has_items else flags


def test_a_policy_is_judged_beside_oracle_fixed_table_and_clairvoyant(cli: Run, world: Path) -> None:
    ran = cli("ttl", "replay", *files(world), "--policy", "mine.py:make")
    assert (ran.code, ran.err) == (0, "")
    lines = ran.out.splitlines()
    assert "requests after 7 days of warm-up count" in lines[0]
    assert lines[1].startswith("clairvoyant: ")
    header = next(line for line in lines if line.startswith("policy"))
    assert header.split("  ")[0] == "policy"
    assert "/oracle 0.25" in header
    row = next(line for line in lines if line.startswith("mine.py:make")).split()
    assert len(row) == 1 + 3 + 3 + 4
    assert any(line.startswith("oracle") for line in lines)


def test_a_judgement_is_one_document(cli: Run, world: Path) -> None:
    ran = cli("ttl", "replay", *files(world), "--policy", "mine.py:make", "--json")
    assert (ran.code, ran.err) == (0, "")
    report = json.loads(ran.out)
    [verdict] = report["verdicts"]
    assert [each["price"] for each in verdict["by_price"]] == report["prices"] == [0.25, 1.0, 4.0]
    for each in verdict["by_price"]:
        oracle = report["oracle"][str(each["price"])]["oracle_J"]
        assert each["over_oracle"] == pytest.approx(each["total"]["j"] / oracle)
    assert verdict["calls_share"] > 0.0
    assert report["trace"]["is_bounded"] is False


def test_everybody_is_judged_where_nobody_is_named(cli: Run, world: Path) -> None:
    report = json.loads(cli("ttl", "replay", *files(world), "--json").out)
    names = [verdict["name"] for verdict in report["verdicts"]]
    assert {"fixed table", "Alex, LM-factor", "Gamma-Poisson", "Gamma-Poisson, weekly"} <= set(names)


def test_bounded_lifetimes_are_told_and_cost_something_else(cli: Run, world: Path) -> None:
    free = json.loads(cli("ttl", "replay", *files(world), "--policy", "mine.py", "--json").out)
    ran = cli("ttl", "replay", *files(world), "--policy", "mine.py", "--bounded", "--json")
    bounded = json.loads(ran.out)
    assert bounded["trace"]["is_bounded"] is True
    assert bounded["verdicts"][0]["by_price"][2]["total"] != free["verdicts"][0]["by_price"][2]["total"]


def test_a_chart_is_drawn(cli: Run, world: Path) -> None:
    assert cli("ttl", "replay", *files(world), "--policy", "mine.py", "--chart", "out.svg").code == 0
    assert ET.fromstring(Path("out.svg").read_text()).tag.endswith("svg")
    refused = cli("ttl", "replay", *files(world), "--policy", "mine.py", "--chart", "no/such/out.svg")
    assert (refused.code, refused.out, refused.err) == (2, "", "weedhounds: cannot write no/such/out.svg\n")


def test_items_are_optional_and_what_was_mended_is_told(cli: Run, world: Path) -> None:
    (world / "changes.csv").write_text("key,t\nmenu:0,1736500000\nmenu:0,1736400000\nmenu:0,1736400000\n")
    flags = ["--changes", str(world / "changes.csv"), "--requests", str(world / "requests.csv.gz")]
    ran = cli("ttl", "replay", *flags, "--policy", "mine.py", "--reference", str(world / "reference.json"))
    assert ran.code == 0
    assert "1 changes were out of order: sorted" in ran.out
    assert "1 changes stood there twice: dropped" in ran.out
    assert "have no item: their type was taken from their name" in ran.out


@pytest.mark.parametrize(
    ("policy", "told"),
    [
        ("gone.py:make", "there is no file gone.py"),
        ("mine.py:made", "mine.py has no factory 'made'"),
        ("bad.py:make", "the policy answered nan, expected seconds >= 0"),
    ],
)
def test_a_bad_policy_is_one_line_and_exit_2(cli: Run, world: Path, policy: str, told: str) -> None:
    Path("bad.py").write_text("def make(price):\n    return lambda obs: float('nan')\n")
    ran = cli("ttl", "replay", *files(world), "--policy", policy)
    assert (ran.code, ran.out) == (2, "")
    assert told in ran.err
    assert ran.err.count("\n") == 1


def test_a_bad_trace_is_one_line_with_its_line_and_exit_2(cli: Run, world: Path) -> None:
    (world / "requests.csv").write_text("key,t\nmenu:0,soon\n")
    ran = cli("ttl", "replay", "--changes", str(world / "changes.csv.gz"), "--requests", str(world / "requests.csv"))
    assert (ran.code, ran.out) == (2, "")
    assert "requests.csv: line 2: expected key,t, found 'menu:0,soon'" in ran.err


@pytest.fixture
def small_kind(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make the standard world small."""
    monkeypatch.setitem(specs.KINDS, "standard", msgspec.structs.replace(specs.STANDARD, **SMALL))


def test_a_world_is_written_with_its_references(cli: Run, small_kind: None, drawn: Path, tmp_path: Path) -> None:
    ran = cli("ttl", "worlds", "--out", str(tmp_path / "new"), "--seed", "4")
    assert (ran.code, ran.err) == (0, "")
    names = ["changes.csv.gz", "requests.csv.gz", "items.csv", "reference.json"]
    assert ran.out.splitlines() == [str(tmp_path / "new" / name) for name in names]
    assert all((tmp_path / "new" / name).read_bytes() == (drawn / name).read_bytes() for name in names)


def test_a_world_is_written_without_its_oracle_where_asked(cli: Run, small_kind: None) -> None:
    document = json.loads(cli("ttl", "worlds", "--out", "plain", "--no-oracle", "--json").out)
    assert (document["kind"], document["seed"], len(document["files"])) == ("standard", 1, 3)
    assert not Path("plain/reference.json").exists()


def test_a_kind_or_folder_that_cannot_be_is_refused(cli: Run, tmp_path: Path) -> None:
    odd = cli("ttl", "worlds", "--out", "plain", "--kind", "odd")
    assert (odd.code, odd.out) == (2, "")
    assert "no kind of world is called 'odd'; there are standard, fast" in odd.err
    (tmp_path / "file").write_text("")
    assert cli("ttl", "worlds", "--out", "file") == (2, "", "weedhounds: file is no folder\n")


PRICES = "product_pricing:weedmaps:7"


def test_a_lifetime_is_explained_in_words(cli: Run, fake: FakeNode) -> None:
    ran = cli("ttl", "explain", PRICES)
    assert (ran.code, ran.err) == (0, "")
    lines = ran.out.splitlines()
    assert lines[0] == f"{PRICES} is kept for 60 min."
    assert lines[1].startswith("Strategy hybrid: ")
    assert "Every product_pricing is kept between 60 s and 30 min" in lines[1]
    assert "change 0.8 times a day, give or take a factor of 2: of 40 looks 6 found a change" in lines[2]
    assert "at about 08:30 local time, with probability 97%" in lines[3]
    assert lines[4].startswith("A call to its origin is worth 2 stale answers; ")
    assert lines[5].startswith("The memory tier holds a copy 90 s old; it ")


def test_a_strategy_that_starts_from_the_base_lifetime_says_so(cli: Run, fake: FakeNode) -> None:
    Path("weedhounds.toml").write_text('[cache.strategies]\nproduct_pricing = "adaptive"\n')
    out = cli("ttl", "explain", PRICES).out
    assert "Every product_pricing starts from 10 min (data type) and is kept between 60 s and 30 min" in out


def test_an_explanation_is_one_document_and_knows_the_setting(cli: Run, fake: FakeNode) -> None:
    Path("weedhounds.toml").write_text("[cache.lifetimes_s]\nproduct_pricing = 7200\n")
    found = json.loads(cli("ttl", "explain", PRICES, "--json").out)
    assert (found["base_s"], found["base_from"], found["strategy"]) == (7200, "setting cache.lifetimes_s", "hybrid")
    assert (found["believed"]["looks"], found["held"]["tier"], found["held"]["lifetime_s"]) == (40, "memory", 3600)


def test_a_record_that_nobody_holds_is_explained_all_the_same(cli: Run, fake: FakeNode) -> None:
    ran = cli("ttl", "explain", "strain_data:leafly:no-such")
    assert ran.code == 0
    assert ran.out.splitlines()[-1] == "No tier holds it."
    assert "once in 200 days" in ran.out


def test_what_is_no_record_key_is_refused(cli: Run) -> None:
    ran = cli("ttl", "explain", "menu")
    assert (ran.code, ran.out) == (2, "")
    assert "not a record key" in ran.err
