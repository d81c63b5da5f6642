from __future__ import annotations

import json

import pytest

from command_lines import Run
from sample_answers import FakeNode
from weedhounds.errors import OriginUnavailable, TierUnavailable

MENU, PRICES = "dispensary_menu:weedmaps:7", "product_pricing:weedmaps:7"


def test_records_come_with_their_provenance_in_one_document(cli: Run, fake: FakeNode) -> None:
    ran = cli("get", MENU, PRICES, "--json")
    assert (ran.code, ran.err) == (0, "")
    document = json.loads(ran.out)
    assert [each["key"] for each in document["records"]] == [MENU, PRICES]
    assert [each["record"]["type"] for each in document["records"]] == ["menu", "price_list"]
    assert document["records"][0]["provenance"]["tier"] == "memory"
    assert document["missing"] == []


def test_a_record_is_shown_with_where_it_came_from(cli: Run, fake: FakeNode) -> None:
    lines = cli("get", PRICES).out.splitlines()
    assert lines[0].startswith(
        f"{PRICES}: fresh, 1m old, from weedmaps by the memory tier, stale with probability 4%, digest 0123"
    )
    assert lines[2].split() == ["price", "p1", "3.5", "g", "$35.00", "(regular", "$40.00)"]


def test_what_some_keys_lack_is_told_and_what_all_lack_fails(cli: Run, fake: FakeNode) -> None:
    unknown = "dispensary_menu:weedmaps:8"
    some = cli("get", MENU, unknown, "--json")
    assert (some.code, len(json.loads(some.out)["records"])) == (0, 1)
    assert json.loads(some.out)["missing"] == [{"origin": "weedmaps", "what": unknown, "why": "nobody has it"}]
    none = cli("get", unknown)
    assert (none.code, none.out) == (1, f"missing: {unknown}: nobody has it\n")


def test_an_origin_that_fails_is_told(cli: Run, fake: FakeNode) -> None:
    fake.error = OriginUnavailable("no connection")
    ran = cli("get", MENU, "--json")
    assert ran.code == 1
    assert json.loads(ran.out)["missing"][0]["why"] == "no connection"


def test_an_error_of_the_node_itself_is_one_line(cli: Run, fake: FakeNode) -> None:
    fake.error = TierUnavailable("database is locked")
    assert cli("get", MENU) == (1, "", "weedhounds: database is locked\n")


def test_no_key_is_asked_before_all_are_understood(cli: Run, fake: FakeNode) -> None:
    assert cli("get", MENU, "nonsense").code == 2
    assert fake.asked == {}


def test_a_key_given_twice_is_asked_once(cli: Run, fake: FakeNode) -> None:
    assert len(json.loads(cli("get", MENU, MENU, "--json").out)["records"]) == 1


@pytest.mark.parametrize("flag", [("--offline",), ("--deadline-s", "2")])
def test_the_flags_reach_the_node(cli: Run, fake: FakeNode, flag: tuple[str, ...]) -> None:
    cli("get", MENU, *flag)
    assert fake.asked["offline"] is (flag == ("--offline",))
    assert fake.asked["deadline_s"] == (2.0 if "2" in flag else None)
