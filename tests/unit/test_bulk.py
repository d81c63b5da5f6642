"""Bulk import: parts of menus joined, files' times, shops from a table, what cannot be used."""

from __future__ import annotations

import gzip
import json
import os
from datetime import UTC, datetime
from itertools import permutations
from pathlib import Path
from typing import Any

import pytest

from weedhounds import Node
from weedhounds.bulk import ImportOptions, ImportReport, observed_at, read_file
from weedhounds.config import load_settings
from weedhounds.errors import BadInput
from weedhounds.model.records import Menu, PriceList
from weedhounds.sources.base import Parsed
from weedhounds.sources.shops_csv import read_shops

TABLE = "file,listing_id,slug,name,city,state,lat,lon,position\n"
ALBUQUERQUE = "menu_7-green-door.json,7,green-door,Green Door,Albuquerque,NM,35.0844,-106.6504,city\n"


def _menu(*items: tuple[int, str, float], listing: int = 7) -> bytes:
    data = [
        {
            "id": id,
            "type": "menu_item",
            "attributes": {
                "name": name,
                "license_type": "recreational",
                "prices": {"price_eighth": price},
                "parent_category": {"name": "Flower"},
            },
            "relationships": {"listing": {"data": {"id": listing, "type": "dispensary"}}},
        }
        for id, name, price in items
    ]
    return json.dumps({"meta": {"page": 1, "per_page": 100, "total": len(data)}, "data": data}).encode()


async def _import(folder: Path, *files: Path, **options: Any) -> tuple[ImportReport, Menu | None, PriceList | None]:
    async with Node(load_settings(data_dir=folder / "node", fetch={"pool_workers": 0})) as node:
        report = await node.import_files("weedmaps", list(files), ImportOptions(**options))
        menu = await node.get("dispensary_menu:weedmaps:7", offline=True)
        prices = await node.get("product_pricing:weedmaps:7", offline=True)
        held = (menu.record if menu else None, prices.record if prices else None)
    assert held[0] is None or isinstance(held[0], Menu)
    assert held[1] is None or isinstance(held[1], PriceList)
    return report, held[0], held[1]


async def test_the_same_file_again_changes_nothing(tmp_path: Path) -> None:
    file = tmp_path / "menu_7-green-door.json"
    file.write_bytes(_menu((1, "Blue Dream", 35)))
    first, menu, _ = await _import(tmp_path, file)
    again, same, _ = await _import(tmp_path, file)
    assert (first.entries, first.unchanged) == (3, 0)
    assert (again.entries, again.unchanged) == (0, 3)
    assert menu == same


async def test_several_answers_of_one_shop_are_joined_and_the_newer_price_wins(tmp_path: Path) -> None:
    old, new = tmp_path / "a_2024-01-01.json", tmp_path / "b_2024-02-01.json"
    old.write_bytes(_menu((1, "Blue Dream", 35), (2, "OG Kush", 40)))
    new.write_bytes(_menu((1, "Blue Dream", 30)))
    for order in ((old, new), (new, old)):
        folder = tmp_path / order[0].stem
        folder.mkdir()
        _, menu, prices = await _import(folder, *order)
        assert menu is not None
        assert prices is not None
        assert [p.id for p in menu.products] == ["1", "2"]
        assert {p.product_id: str(p.price.amount) for p in prices.prices} == {"1": "30.00", "2": "40.00"}


async def test_a_shop_takes_its_place_from_the_table_and_without_one_is_not_placed(tmp_path: Path) -> None:
    (tmp_path / "shops.csv").write_text(TABLE + ALBUQUERQUE)
    file = tmp_path / "menu_7-green-door.json"
    file.write_bytes(_menu((1, "Blue Dream", 35)))
    settings = load_settings(data_dir=tmp_path / "node", fetch={"pool_workers": 0})
    async with Node(settings) as node:
        bare = await node.import_files("weedmaps", [file])
        nowhere = await node.hunt("Blue Dream", near="Albuquerque, NM", offline=True)
        placed = await node.import_files("weedmaps", [file], ImportOptions(shops=read_shops(tmp_path / "shops.csv")))
        here = await node.hunt("Blue Dream", near="Albuquerque, NM", offline=True)
    assert bare.not_placed == ["weedmaps shop 7 (7)"]
    assert nowhere.offers == ()
    assert [m.why for m in nowhere.missing] == ["not placed: no position known"]
    assert placed.not_placed == []
    assert [(str(o.price.amount), o.shop.name, o.shop.position) for o in here.offers] == [
        ("35.00", "Green Door", "city")
    ]
    assert here.missing == ()


async def test_a_menu_without_its_shop_never_unplaces_a_known_one(tmp_path: Path) -> None:
    (tmp_path / "shops.csv").write_text(TABLE + ALBUQUERQUE)
    file = tmp_path / "menu_7-green-door.json"
    file.write_bytes(_menu((1, "Blue Dream", 35)))
    async with Node(load_settings(data_dir=tmp_path / "node", fetch={"pool_workers": 0})) as node:
        table = read_shops(tmp_path / "shops.csv")
        await node.import_files("weedmaps", [file], ImportOptions(shops=table, observed_at=1.7e9))
        await node.import_files("weedmaps", [file], ImportOptions(observed_at=1.71e9))
        answer = await node.hunt("Blue Dream", near="Albuquerque, NM", offline=True)
    assert (len(answer.offers), answer.missing) == (1, ())


async def test_a_time_below_the_millisecond_does_not_make_the_same_file_new(tmp_path: Path) -> None:
    file = tmp_path / "menu_7.json"
    file.write_bytes(_menu((1, "Blue Dream", 35)))
    os.utime(file, ns=(1_700_000_000_123_456_789, 1_700_000_000_123_456_789))
    await _import(tmp_path, file)
    again, _, _ = await _import(tmp_path, file)
    assert (again.entries, again.unchanged) == (0, 3)


async def test_a_file_that_cannot_be_used_is_reported_and_the_rest_goes_on(tmp_path: Path) -> None:
    good, html, cut = tmp_path / "menu_7.json", tmp_path / "html.json", tmp_path / "cut.json.gz"
    good.write_bytes(_menu((1, "Blue Dream", 35)))
    html.write_text("<!DOCTYPE html><title>Just a moment</title>")
    cut.write_bytes(gzip.compress(_menu((1, "Blue Dream", 35)))[:-20])
    report, menu, _ = await _import(tmp_path, html, cut, good, tmp_path / "absent.json")
    assert (report.files, menu is not None) == (1, True)
    assert [failed.where for failed in report.failed] == ["html.json", "cut.json.gz", "absent.json"]
    assert "blocked" in report.failed[0].why


def test_the_time_of_a_file_is_what_the_answer_or_its_name_says(tmp_path: Path) -> None:
    dated, plain = tmp_path / "menu_2024-05.json", tmp_path / "menu_338119-dispensary-7884-taos.json"
    for path in (dated, plain):
        path.write_bytes(b"{}")
        os.utime(path, (1_000_000_000, 1_000_000_000))
    assert observed_at(dated, Parsed(observed_at=5.0)) == 5.0
    assert datetime.fromtimestamp(observed_at(dated, Parsed()), UTC).isoformat() == "2024-05-01T00:00:00+00:00"
    assert observed_at(plain, Parsed()) == 1_000_000_000


def test_a_file_that_is_no_file_is_bad_input(tmp_path: Path) -> None:
    with pytest.raises(BadInput):
        read_file(tmp_path)


async def test_prices_of_files_stand_in_the_history_at_their_own_times_whichever_comes_first(tmp_path: Path) -> None:
    files = {date: tmp_path / f"menu_{date}.json" for date in ("2024-01-01", "2024-02-01", "2024-03-01")}
    files["2024-01-01"].write_bytes(_menu((1, "Blue Dream", 35), (2, "OG Kush", 40)))
    files["2024-02-01"].write_bytes(_menu((1, "Blue Dream", 30)))
    files["2024-03-01"].write_bytes(_menu((1, "Blue Dream", 30), (3, "Sour Diesel", 50)))
    for n, order in enumerate(permutations(files.values())):
        async with Node(load_settings(data_dir=tmp_path / f"node{n}", fetch={"pool_workers": 0})) as node:
            await node.import_files("weedmaps", order)
            await node.import_files("weedmaps", order)
            history = await node.price_history("product_pricing:weedmaps:7")
        assert history is not None
        assert [(_day(p.at), p.product_id, p.price and str(p.price.amount)) for p in history.changes] == [
            ("2024-01-01", "1", "35.00"),
            ("2024-01-01", "2", "40.00"),
            ("2024-02-01", "1", "30.00"),
            ("2024-03-01", "3", "50.00"),
        ]


def _day(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).date().isoformat()
