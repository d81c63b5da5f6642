from __future__ import annotations

import csv
import json
from decimal import Decimal
from io import StringIO
from pathlib import Path

import msgspec
import polars
import pytest

from command_lines import Run
from sample_answers import FakeNode, hunt_answer, offer, provenance, strain_answer, usd
from weedhounds.cli import flat
from weedhounds.cli.hunt_table import hunt_text, missing_lines, offer_cells
from weedhounds.model.records import Lab
from weedhounds.query.answer import Missing, OfferSource, UnitPrice
from weedhounds.sources import ORIGINS

HUNT = ("hunt", "Blue Dream", "--near", "Denver, CO")


def test_json_is_the_nodes_answer_in_one_document(cli: Run, fake: FakeNode) -> None:
    ran = cli(*HUNT, "--json")
    assert (ran.code, ran.err) == (0, "")
    assert ran.out.encode() == msgspec.json.encode(fake.answer) + b"\n"
    assert cli(*HUNT, "--format", "json").out == ran.out


def test_the_flags_reach_the_node(cli: Run, fake: FakeNode) -> None:
    flags = ("--radius-km", "40", "--deadline-s", "2.5", "--offline", "--limit", "7", "--data-dir", "here")
    cli(*HUNT, *flags, "--json")
    assert fake.asked == {
        "query": "Blue Dream", "near": "Denver, CO", "radius_km": 40.0, "deadline_s": 2.5,
        "limit": 7, "offline": True, "progress": None,
    }  # fmt: skip
    assert fake.settings.data_dir == Path("here")


def test_a_hunt_without_a_query_asks_for_everything(cli: Run, fake: FakeNode) -> None:
    assert cli("hunt", "--near", "Denver, CO").code == 0
    assert fake.asked["query"] == ""


def test_an_unknown_place_is_bad_input(cli: Run, fake: FakeNode) -> None:
    assert cli("hunt", "--near", "Atlantis") == (2, "", "weedhounds: unknown place 'Atlantis'\n")


def test_the_table_has_one_plain_line_an_offer_and_says_what_it_took(cli: Run, fake: FakeNode) -> None:
    lines = cli(*HUNT).out.splitlines()
    assert lines[0].split() == [
        "$/g", "price", "amount", "product", "brand", "shop", "km", "THC", "origin", "age", "tier", "stale",
    ]  # fmt: skip
    assert lines[1] == (
        "$10.00  $35.00   3.5 g  Blue Dream 0  Sample Farms  Green Lane  1.2  20.5-24%  weedmaps   1m  memory     4%"
    )
    assert lines[4:] == [
        "",
        "3 offers; 1 shop near Denver, CO; 0.01 s, 0 origin calls",
        "records by tier: memory 2, sql 0, peers 0, origin 0",
        "offers by origin: weedmaps 3",
    ]


def test_the_table_shows_20_offers_and_counts_all(cli: Run, fake: FakeNode) -> None:
    fake.answer = hunt_answer(33)
    text = cli(*HUNT).out
    assert text.count("Green Lane") == 20
    assert "33 offers, 20 shown" in text
    assert fake.asked["limit"] is None
    assert cli(*HUNT, "--limit", "2").out.count("Green Lane") == 2
    assert cli(*HUNT, "--limit", "50").out.count("Green Lane") == 33


def test_nothing_found_is_said_in_words(cli: Run, fake: FakeNode) -> None:
    fake.answer = hunt_answer(0, records=4)
    ran = cli(*HUNT)
    assert ran.code == 0
    assert ran.out.startswith('no offers for "Blue Dream" near Denver, CO (1 shop, 4 records read); 0.01 s')


def test_what_is_special_about_an_offer_is_seen_in_its_line() -> None:
    base = offer()
    special = msgspec.structs.replace(
        base,
        shop=msgspec.structs.replace(base.shop, position="city", name="Green\nLane"),
        market="med",
        in_stock=False,
        brand=None,
        unit_price=UnitPrice(per_100mg_thc=usd("1.25")),
        sources=(OfferSource(provenance=provenance("jane"), price=usd("36.00")), *base.sources),
    )
    assert offer_cells(special) == (
        "$1.25/100mg", "$35.00 med", "3.5 g", "Blue Dream 1 (out of stock)", "", "Green Lane",
        "~1.2", "20.5-24%", "weedmaps,jane", "1m", "memory", "4%",
    )  # fmt: skip
    assert offer_cells(msgspec.structs.replace(base, unit_price=UnitPrice()))[0] == ""


def test_a_known_strain_and_what_is_missing_follow_the_table() -> None:
    answer = msgspec.structs.replace(
        hunt_answer(1), strain=strain_answer(), missing=(Missing("jane", "menu of A", "no key"),)
    )
    assert hunt_text(answer, rows=20, width=None).splitlines()[-2:] == [
        "strain Blue Dream: hybrid; myrcene 0.61 %; 1 laboratory result with thca 21.5 to 21.5 % (from leafly, socrata_ct)",
        "missing: jane: menu of A: no key",
    ]


def test_much_that_is_missing_for_one_reason_is_one_line() -> None:
    shops = [Missing("weedmaps", f"shop {n}", "no position") for n in range(10)]
    assert missing_lines([*shops, Missing("jane", "all", "no key")]) == [
        "missing: weedmaps: shop 0, shop 1, shop 2, shop 3, shop 4, shop 5, shop 6, shop 7 and 2 more: no position",
        "missing: jane: all: no key",
    ]


def failed(*origins: str) -> tuple[Missing, ...]:
    return tuple(Missing(origin, "shops", "down") for origin in origins)


def test_a_hunt_fails_only_when_every_origin_of_menus_did(
    cli: Run, fake: FakeNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    menus = [origin for origin in ORIGINS if origin != "socrata_ct"]
    fake.answer = hunt_answer(0, records=0, missing=failed(*menus))
    ran = cli(*HUNT, "--json")
    assert ran.code == 1
    assert len(json.loads(ran.out)["missing"]) == len(menus)
    fake.answer = hunt_answer(0, records=0, missing=failed(*menus[1:]))
    assert cli(*HUNT).code == 0
    monkeypatch.setenv(f"WEEDHOUNDS_ORIGINS__{menus[0].upper()}__ENABLED", "false")
    assert cli(*HUNT).code == 1
    fake.answer = hunt_answer(1, missing=failed(*menus))
    assert cli(*HUNT).code == 0
    fake.answer = hunt_answer(0, records=1, missing=failed(*menus))
    assert cli(*HUNT).code == 0
    fake.answer = hunt_answer(0, records=0)
    assert cli(*HUNT).code == 0


def test_a_document_goes_to_the_file_named(cli: Run, fake: FakeNode, tmp_path: Path) -> None:
    for kind in ("json", "csv", "table", "parquet"):
        file = tmp_path / f"offers.{kind}"
        file.write_text("old")
        assert cli(*HUNT, "--format", kind, "--output", str(file)) == (0, "", "")
        assert file.stat().st_size > 100
    assert sorted(p.name for p in tmp_path.glob("offers*")) == [
        "offers.csv", "offers.json", "offers.parquet", "offers.table",
    ]  # fmt: skip


def test_a_failed_hunt_leaves_the_file_alone(cli: Run, fake: FakeNode, tmp_path: Path) -> None:
    file = tmp_path / "offers.json"
    file.write_text("old")
    fake.error = RuntimeError("boom")
    assert cli(*HUNT, "--json", "--output", str(file)).code == 1
    assert [p.name for p in tmp_path.glob("offers*")] == ["offers.json"]
    assert file.read_text() == "old"


def test_parquet_is_not_written_to_a_terminal(cli: Run, fake: FakeNode, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    ran = cli(*HUNT, "--format", "parquet")
    assert (ran.code, ran.out) == (2, "")
    assert "parquet is no text" in ran.err
    assert fake.asked == {}


def test_csv_prints_every_offer_with_the_documented_columns(cli: Run, fake: FakeNode) -> None:
    fake.answer = hunt_answer(33)
    text = cli(*HUNT, "--format", "csv").out
    rows = list(csv.DictReader(StringIO(text, newline="")))
    assert list(rows[0]) == [column.name for column in flat.COLUMNS]
    assert len(rows) == 33
    row = rows[0]
    assert (row["price"], row["currency"], row["price_per_g"]) == ("35.00", "USD", "10.00")
    assert row["terpenes"] == "myrcene=0.61 %; limonene=<0.05 %"
    assert row["promotions"] == "Happy hour; BOGO"
    assert row["fetched_at"] == "2025-06-15T15:06:40+00:00"
    assert (row["in_stock"], row["laboratory"], row["thc_low"], row["thc_high"]) == ("true", "", "20.5", "24.0")
    assert row["sources"] == "weedmaps=35.00 USD"


def test_csv_quotes_as_rfc_4180_says() -> None:
    odd = offer(product='Say "hi", twice\nor more', strain="half \ud800")
    body = flat.csv_bytes([odd])
    assert body.startswith(b"shop_key,shop,address,")
    assert body.count(b"\r\n") == 2
    (row,) = csv.DictReader(StringIO(body.decode(), newline=""))
    assert row["product"] == 'Say "hi", twice\nor more'
    assert row["strain"] == "half ?"


def test_parquet_keeps_types_and_exact_money(tmp_path: Path) -> None:
    made = [
        offer(1, price=usd("35.10"), unit_price=UnitPrice(per_g=usd("10.0286"))),
        offer(2, quantity=None, in_stock=None, variant=None, lab=Lab(laboratory="Lab A", tested_at="2024-05-01")),
    ]
    file = tmp_path / "offers.parquet"
    file.write_bytes(flat.parquet_bytes(made))
    frame = polars.read_parquet(file)
    assert frame.columns == [column.name for column in flat.COLUMNS]
    assert frame["price"].to_list() == [Decimal("35.1000"), Decimal("35.0000")]
    assert frame["price_per_g"].to_list() == [Decimal("10.0286"), Decimal("10.0000")]
    assert frame["quantity"].to_list() == [4.0, None]
    assert frame["laboratory"].to_list() == [None, "Lab A"]
    assert str(frame.schema["fetched_at"]) == "Datetime(time_unit='ms', time_zone='UTC')"


def test_parquet_of_no_offers_still_has_its_columns(tmp_path: Path) -> None:
    file = tmp_path / "offers.parquet"
    file.write_bytes(flat.parquet_bytes([]))
    assert polars.read_parquet(file).schema["price"] == polars.Decimal(flat.MONEY_DIGITS, flat.MONEY_SCALE)
    assert flat.csv_bytes([]).count(b"\r\n") == 1


def test_a_progress_bar_is_shown_on_a_terminal_alone(cli: Run, fake: FakeNode, monkeypatch: pytest.MonkeyPatch) -> None:
    assert cli(*HUNT, "--json").err == ""
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    ran = cli(*HUNT, "--json")
    assert callable(fake.asked["progress"])
    assert json.loads(ran.out)["query"] == "Blue Dream"
