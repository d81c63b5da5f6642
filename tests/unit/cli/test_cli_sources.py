from __future__ import annotations

import gzip
import io
import json
from pathlib import Path
from typing import Any

import pytest

from command_lines import Run
from weedhounds.cli.sources_import import unix_time
from weedhounds.errors import BadInput
from weedhounds.sources import ORIGINS


def test_every_origin_is_listed_with_its_terms_and_what_it_is_tested_against(cli: Run) -> None:
    ran = cli("sources", "list", "--json")
    assert (ran.code, ran.err) == (0, "")
    sources: list[dict[str, Any]] = json.loads(ran.out)["sources"]
    assert [each["origin"] for each in sources] == list(ORIGINS)
    for each in sources:
        assert each["terms"]["share"] in ("never", "circle", "public")
        assert set(each["tested"].values()) <= {"recorded", "hand-made"}
        assert each["data_types"]
    table = cli("sources", "list").out.splitlines()
    assert [line.split()[0] for line in table] == ["origin", *ORIGINS]


def test_each_origin_is_listed_with_the_budget_that_the_settings_give(
    cli: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    settings = tmp_path / "other.toml"
    settings.write_text("[origins.jane]\nburst = 3\ncalls_per_day = 0\n[origins.leafly]\nenabled = false\n")
    ran = cli("sources", "list", "--config", str(settings), "--json")
    listed = {each["origin"]: each for each in json.loads(ran.out)["sources"]}
    assert listed["jane"]["budget"] == {"burst": 3, "rate_per_s": 2.0, "concurrency": 4, "calls_per_day": 0}
    assert listed["dutchie"]["budget"]["calls_per_day"] is None
    assert [origin for origin, each in listed.items() if not each["enabled"]] == ["leafly"]
    table = cli("sources", "list", "--config", str(settings)).out.splitlines()
    assert all(name in table[0] for name in ("burst", "calls/s", "at once", "calls/day"))
    settings.write_text("[origins.jane]\nburst = 0\n")
    refused = cli("sources", "list", "--config", str(settings))
    assert (refused.code, refused.out) == (2, "")
    assert "origins.jane.burst" in refused.err


@pytest.fixture
def menu(golden: Path) -> Path:
    """Return an answer of the invented shop 900, which ``listings.json`` places."""
    return golden / "weedmaps" / "menu_edge_cases.json"


def test_a_parsed_answer_is_one_document_of_typed_records(cli: Run, menu: Path) -> None:
    ran = cli("sources", "parse", "weedmaps", str(menu), "--json")
    assert (ran.code, ran.err) == (0, "")
    document = json.loads(ran.out)
    assert list(document) == ["records", "skipped"]
    assert {record["type"] for record in document["records"]} <= {"offer", "product"}
    offers = [record for record in document["records"] if record["type"] == "offer"]
    assert offers
    assert isinstance(offers[0]["price"]["amount"], str)


def test_a_packed_answer_and_standard_input_are_read_alike(
    cli: Run, menu: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = cli("sources", "parse", "weedmaps", str(menu), "--json").out
    packed = tmp_path / "menu.json.gz"
    packed.write_bytes(gzip.compress(menu.read_bytes()))
    assert cli("sources", "parse", "weedmaps", str(packed), "--json").out == plain
    for body in (menu.read_bytes(), packed.read_bytes()):
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(body)))
        assert cli("sources", "parse", "weedmaps", "-", "--json").out == plain


def test_prices_without_a_currency_take_the_one_given(cli: Run, menu: Path) -> None:
    def currencies(*flags: str) -> set[str]:
        document = json.loads(cli("sources", "parse", "weedmaps", str(menu), "--json", *flags).out)
        return {record["price"]["currency"] for record in document["records"] if record["type"] == "offer"}

    assert currencies("--currency", "CAD") - currencies() == {"CAD"}


def test_a_person_sees_counts_records_and_what_was_skipped(cli: Run, menu: Path) -> None:
    ran = cli("sources", "parse", "weedmaps", str(menu))
    assert ran.code == 0
    assert ran.out.startswith("offer ")
    assert "\ntype " in ran.out
    assert "\nskipped " in ran.out


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (b"<!DOCTYPE html><html>", "blocked"),
        (b"{}", "no Weedmaps menu or listings"),
        (b"not json", "not the expected JSON"),
        (b"", "not the expected JSON"),
        (b"[" * 100_000, "not the expected JSON"),
    ],
)
def test_an_answer_that_is_none_is_one_line_and_exit_1(cli: Run, tmp_path: Path, body: bytes, why: str) -> None:
    file = tmp_path / "answer.json"
    file.write_bytes(body)
    ran = cli("sources", "parse", "weedmaps", str(file), "--json")
    assert (ran.code, ran.out) == (1, "")
    assert why in ran.err
    assert ran.err.count("\n") == 1


@pytest.mark.parametrize("body", [b"\x1f\x8bnot gzip", b"\x1f\x8b"])
def test_a_damaged_gzip_is_bad_input(cli: Run, tmp_path: Path, body: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "answer.json.gz"
    file.write_bytes(body)
    assert cli("sources", "parse", "weedmaps", str(file)).code == 2
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(body)))
    ran = cli("sources", "parse", "weedmaps", "-")
    assert (ran.code, ran.err.count("\n")) == (2, 1)


def test_names_that_no_utf8_can_hold_do_not_stop_a_document(cli: Run, tmp_path: Path, menu: Path) -> None:
    document = json.loads(menu.read_bytes())
    document["data"][0]["attributes"]["name"] = "\ud800"
    file = tmp_path / "answer.json"
    file.write_text(json.dumps(document))
    for flags in (("--json",), ()):
        ran = cli("sources", "parse", "weedmaps", str(file), *flags)
        assert ran.code in (0, 1)
        assert "internal error" not in ran.err


SHOPS = """file,listing_id,slug,name,city,state,lat,lon,position
menu_edge_cases.json,900,example-shop,Example Shop,Springfield,NM,35.1,-106.6,city
"""


def test_files_are_imported_once_and_answer_offline(cli: Run, menu: Path) -> None:
    Path("shops.csv").write_text(SHOPS)
    given = (str(menu), "--shops", "shops.csv", "--observed-at", "2024-05-01", "--data-dir", "store", "--json")
    ran = cli("sources", "import", "weedmaps", *given)
    assert (ran.code, ran.err) == (0, "")
    report = json.loads(ran.out)
    assert (report["origin"], report["files"], report["failed"], report["not_placed"]) == ("weedmaps", 1, [], [])
    assert report["entries"] > 0
    again = json.loads(cli("sources", "import", "weedmaps", *given).out)
    assert (again["entries"], again["unchanged"]) == (0, report["entries"] + report["unchanged"])
    found = json.loads(cli("hunt", "--near", "35.1,-106.6", "--offline", "--data-dir", "store", "--json").out)
    assert {each["shop"]["name"] for each in found["offers"]} == {"Example Shop"}
    assert found["meta"]["origin_calls"] == 0


def test_a_file_that_fails_is_named_and_only_all_of_them_fail(cli: Run, menu: Path, tmp_path: Path) -> None:
    broken = tmp_path / "broken.json"
    broken.write_text("<html>")
    ran = cli("sources", "import", "weedmaps", str(broken), str(menu), "--data-dir", "store")
    assert ran.code == 0
    assert "failed: broken.json: blocked" in ran.out
    assert cli("sources", "import", "weedmaps", str(broken), "--data-dir", "store").code == 1


def test_the_time_of_the_answers_may_be_given(cli: Run, menu: Path) -> None:
    cli("sources", "import", "weedmaps", str(menu), "--data-dir", "store", "--observed-at", "2024-05-01T12:00:00Z")
    key = "dispensary_menu:weedmaps:900"
    document = json.loads(cli("get", key, "--offline", "--data-dir", "store", "--json").out)
    assert document["records"][0]["provenance"]["fetched_at"] == unix_time("2024-05-01T12:00:00Z")


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("1970-01-02", 86400.0),
        ("2024-05-01T12:00:00", 1714564800.0),
        ("2024-05-01T12:00:00Z", 1714564800.0),
        ("2024-05-01T06:00:00-06:00", 1714564800.0),
    ],
)
def test_a_time_without_a_zone_is_utc(text: str, seconds: float) -> None:
    assert unix_time(text) == seconds


@pytest.mark.parametrize("text", ["", "yesterday", "2024-13-01", "0001-01-01", "9999-12-31"])
def test_what_is_no_usable_time_is_refused(text: str) -> None:
    with pytest.raises(BadInput, match="--observed-at"):
        unix_time(text)
