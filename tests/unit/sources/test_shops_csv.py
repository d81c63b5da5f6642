"""The table of shops beside recorded menus."""

from __future__ import annotations

from pathlib import Path

import pytest

from weedhounds.errors import BadInput
from weedhounds.sources.shops_csv import ShopTable, read_shops

HEADER = "file,listing_id,slug,name,city,state,lat,lon,position\n"
ROWS = (
    "menu_900-example-shop.json.gz,900,example-shop,Example Shop,Springfield,NM,35.1,-106.5,city\n"
    "menu_901-second.json,901,second,Second,,NM,,,\n"
    ",902,third,Third,Springfield,NM,35.2,-106.6,exact\n"
)


def table(folder: Path, text: str = HEADER + ROWS) -> ShopTable:
    path = folder / "shops.csv"
    path.write_text(text, encoding="utf-8")
    return read_shops(path)


@pytest.mark.parametrize(
    "file", ["menu_900-example-shop.json.gz", "menu_900-example-shop.json", "a/menu_900-example-shop.json"]
)
def test_a_shop_is_found_by_the_base_name_of_its_file(tmp_path: Path, file: str) -> None:
    shop = table(tmp_path).find("weedmaps", file, None)
    assert shop is not None
    assert (shop.id, shop.slug, shop.name, shop.city, shop.state) == (
        "900",
        "example-shop",
        "Example Shop",
        "Springfield",
        "NM",
    )
    assert (shop.lat, shop.lon, shop.position) == (35.1, -106.5, "city")
    assert (shop.key, shop.origin) == ("dispensary_info:weedmaps:900", "weedmaps")


def test_a_shop_is_found_by_its_listing_id_where_the_file_is_unknown(tmp_path: Path) -> None:
    shop = table(tmp_path).find("weedmaps", "other.json", "902")
    assert shop is not None
    assert (shop.name, shop.position) == ("Third", "exact")
    assert table(tmp_path).find("weedmaps", "other.json", "903") is None
    assert table(tmp_path).find("weedmaps", "other.json", None) is None


def test_a_shop_without_a_position_is_not_placed(tmp_path: Path) -> None:
    shop = table(tmp_path).find("weedmaps", "menu_901-second.json", None)
    assert shop is not None
    assert (shop.lat, shop.lon, shop.city) == (None, None, None)
    assert len(table(tmp_path)) == 3


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("file,listing_id,slug\n", "line 1: no column name, city, state, lat, lon, position"),
        ("", "line 1: no column file"),
        (HEADER + "a,1,s,N,C,NM,north,-106,city\n", "line 2: no number of degrees"),
        (HEADER + "a,1,s,N,C,NM,95,-106,city\n", "line 2: no number of degrees within 90"),
        (HEADER + "a,1,s,N,C,NM,nan,-106,city\n", "line 2: no number of degrees"),
        (HEADER + "a,1,s,N,C,NM,35,,city\n", "line 2: lat without lon"),
        (HEADER + "a,1,s,N,C,NM,35,-106,about\n", "line 2: position is 'about'"),
        (HEADER + ROWS + "a,,s,N,C,NM,35,-106,city\n", "line 5: no listing_id"),
        (HEADER + "a,1,s,N\n", "line 2: another number of cells"),
        (HEADER + "a,1,s,N,C,NM,35,-106,city,more\n", "line 2: another number of cells"),
        (HEADER + 'a,1,"s\n', "unexpected end of data"),
    ],
)
def test_a_broken_table_is_bad_input_with_its_line(tmp_path: Path, text: str, told: str) -> None:
    with pytest.raises(BadInput, match=told):
        table(tmp_path, text)


def test_a_file_that_is_no_table_is_bad_input(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="cannot read the table"):
        read_shops(tmp_path / "missing.csv")
    (tmp_path / "binary.csv").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(BadInput, match="cannot read the table"):
        read_shops(tmp_path / "binary.csv")


@pytest.mark.recorded
def test_every_recorded_menu_has_its_row(recorded: Path) -> None:
    shops = read_shops(recorded / "weedmaps" / "shops.csv")
    placed = []
    for path in sorted((recorded / "weedmaps").glob("menu_*")):
        shop = shops.find("weedmaps", path, None)
        assert shop is not None, path.name
        assert path.name.startswith(f"menu_{shop.id}-")
        placed += [shop] if shop.lat is not None else []
    assert (len(shops), len(placed)) == (125, 69)
    assert {s.position for s in placed} == {"city"}
