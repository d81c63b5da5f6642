from __future__ import annotations

import json
import re
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from command_lines import Run

TINY = ("--city", "Denver, CO", "--shops", "1", "--requests-per-day", "120", "--no-sql")
WHO = ["the node", "fixed table", "LM-factor", "no cache", "oracle", "clairvoyant, as stale"]


def test_a_week_is_told_beside_rivals_oracle_and_clairvoyant(cli: Run) -> None:
    ran = cli("sim", "week", *TINY)
    assert (ran.code, ran.err) == (0, "")
    lines = ran.out.splitlines()
    assert lines[0].startswith("Denver, CO (America/Denver), 1 shop, ")
    told = [line for line in lines if re.match("|".join(WHO), line)]
    assert [line.split("  ")[0] for line in told] == WHO
    assert all("%" in line for line in told)
    tiers = lines[lines.index("Requests by the tier that served them") + 2 :]
    assert [line.split()[0] for line in tiers[:2]] == ["memory", "origin"]


def test_a_week_is_one_document_and_the_same_seed_gives_the_same_one(cli: Run) -> None:
    first, again = (cli("sim", "week", *TINY, "--seed", "7", "--json") for _ in range(2))
    assert (first.code, first.err) == (0, "")
    assert first.out == again.out
    report = json.loads(first.out)
    assert [row["name"] for row in report["rows"]] == WHO
    node, *_, bound = report["rows"]
    assert node["calls_share"] == pytest.approx(node["calls"] / report["requests"])
    assert node["j"] == pytest.approx((node["calls"] + node["stale"]) / report["requests"])
    assert bound["stale"] == node["stale"]
    assert bound["calls"] <= node["calls"]
    memory, origin = report["tiers"]
    assert memory["asked"] == report["requests"] == memory["served"] + origin["served"]
    assert origin["asked"] == origin["served"]
    assert sum(row["requests"] for row in report["by_type"]) == report["requests"]


def test_the_chart_is_written_whole(cli: Run, tmp_path: Path) -> None:
    ran = cli("sim", "week", *TINY, "--chart", str(tmp_path / "week.svg"))
    assert ran.code == 0
    text = "".join(ET.parse(tmp_path / "week.svg").getroot().itertext())
    assert all(name in text for name in ("the node", "fixed table", "LM-factor", "oracle", "clairvoyant"))


def test_without_the_oracle_nothing_is_measured_against_it(cli: Run) -> None:
    ran = cli("sim", "week", *TINY, "--no-oracle", "--json")
    report = json.loads(ran.out)
    assert "oracle" not in [row["name"] for row in report["rows"]]
    assert {row["over_oracle"] for row in report["rows"]} == {None}


def test_single_prices_are_keys_of_their_own(cli: Run) -> None:
    lists, single = (
        json.loads(cli("sim", "week", *TINY, "--no-oracle", "--json", *flags).out)
        for flags in ((), ("--single-prices",))
    )
    assert (lists["keys"]["product_pricing"], single["keys"]["product_pricing"]) == (1, 8)
    assert (lists["has_price_lists"], single["has_price_lists"]) == (True, False)


@pytest.mark.parametrize(
    "wrong",
    [
        ("--city", "Nowhere at all"),
        ("--shops", "0"),
        ("--requests-per-day", "nan"),
        ("--requests-per-day", "1e12"),
        ("--weeks", "99"),
        ("--price", "0"),
        ("--price", "nan"),
        ("--memory-mb", "-1"),
        ("--revalidate", "nan"),
        ("--chart", "/no/such/folder/x.svg"),
    ],
)
def test_what_cannot_be_simulated_is_bad_input_in_one_line(cli: Run, wrong: tuple[str, str]) -> None:
    ran = cli("sim", "week", *TINY, *wrong)
    assert ran.code == 2
    assert ran.out == ""
    assert ran.err.startswith("weedhounds: ")
    assert ran.err.count("\n") == 1
