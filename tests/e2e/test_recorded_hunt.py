"""Recorded answers, imported and hunted offline: real offers with the prices of the files."""

from __future__ import annotations

import gzip
import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from weedhounds import Node
from weedhounds.bulk import ImportOptions
from weedhounds.config import load_settings
from weedhounds.sources.shops_csv import read_shops

pytestmark = pytest.mark.recorded


def _load(path: Path) -> Any:
    return json.loads(gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes())


def _weedmaps_prices(folder: Path) -> dict[str, set[Decimal]]:
    """Return, by item id, every price that stands in the recorded New Mexico menus."""
    found: dict[str, set[Decimal]] = {}
    for path in sorted(folder.glob("menu_*")):
        for item in _load(path)["data"]:
            flat = [v for k, v in item["attributes"]["prices"].items() if k.startswith("price_")]
            told = [v["price"]["amount"] for v in item["attributes"]["variants"]]
            found.setdefault(str(item["id"]), set()).update(Decimal(str(v)) for v in (*flat, *told))
    return found


@pytest.mark.timeout(120)
async def test_new_mexico_s_menus_answer_a_hunt_with_their_own_prices(recorded: Path, tmp_path: Path) -> None:
    folder = recorded / "weedmaps"
    menus = sorted(folder.glob("menu_*"))
    options = ImportOptions(shops=read_shops(folder / "shops.csv"))
    async with Node(load_settings(data_dir=tmp_path, fetch={"pool_workers": 0})) as node:
        report = await node.import_files("weedmaps", menus, options)
        again = await node.import_files("weedmaps", menus, options)
        registry = await node.import_files("socrata_ct", sorted((recorded / "socrata-ct").glob("brand_registry*")))
        answer = await node.hunt("Blue Dream", near="Albuquerque, NM", offline=True)
    assert (report.files, report.failed, report.skipped_total) == (125, [], 0)
    assert report.offers > 11_000
    assert (again.entries, again.unchanged) == (0, report.entries)
    assert registry.entries == 17_734
    assert len(answer.offers) >= 20
    assert answer.meta.origin_calls == 0
    in_files = _weedmaps_prices(folder)
    for offer in answer.offers:
        assert offer.price.amount in in_files[offer.product_id]
        assert "blue" in offer.product.lower()
        assert offer.shop.position == "city"
        assert offer.provenance.age_s > 365 * 86400
        assert offer.provenance.stale_probability > 0.99
    assert answer.strain is not None
    assert len(answer.strain.lab_results) >= 20
    assert all(result.origin == "socrata_ct" and result.cannabinoids for result in answer.strain.lab_results)
    not_placed = [missing for missing in answer.missing if missing.why.startswith("not placed")]
    assert len(not_placed) == len(report.not_placed) > 40


async def test_phoenix_s_offers_answer_a_hunt_with_their_own_prices(recorded: Path, tmp_path: Path) -> None:
    async with Node(load_settings(data_dir=tmp_path, fetch={"pool_workers": 0})) as node:
        report = await node.import_files("leafly", sorted((recorded / "leafly").glob("*.json.gz")))
        answer = await node.hunt("gummies", near="Phoenix, AZ", offline=True)
        menu = await node.get(answer.offers[0].provenance.key, offline=True)
    assert report.failed == []
    in_files = {
        (str(item["id"]), Decimal(str(item["bestOfferVariant"]["price"])))
        for path in (recorded / "leafly").glob("products_*bestOffer*")
        for item in _load(path)
        if item["bestOfferVariant"]
    }
    assert len(answer.offers) >= 10
    assert {(offer.product_id, offer.list_price.amount) for offer in answer.offers} <= in_files
    assert all(offer.shop.position == "exact" and offer.shop.distance_km <= 25 for offer in answer.offers)
    assert menu is not None
    assert menu.pinned
    assert answer.missing == ()
