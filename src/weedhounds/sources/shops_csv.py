"""Shops from a table: what a recorded menu leaves out, joined by file name or listing id.

The table is a CSV file with the columns ``file, listing_id, slug, name, city, state, lat, lon,
position``, one row a recorded file. Empty cells are unknown. ``position`` is ``exact`` or
``city`` (the city's centre); it is empty where there is no position.
"""

from __future__ import annotations

import csv
import math
from pathlib import Path

from weedhounds.errors import BadInput
from weedhounds.model.datatypes import DataType
from weedhounds.model.keys import RecordKey
from weedhounds.model.records import Position, Shop

COLUMNS = ("file", "listing_id", "slug", "name", "city", "state", "lat", "lon", "position")
MAX_ROWS = 100_000
"""Most rows of one table."""

_POSITIONS: dict[str, Position] = {"": "exact", "exact": "exact", "city": "city"}


class ShopTable:
    """The rows of a table of shops, found by file name or by listing id.

    Args:
        rows: cleaned cells by column name, each with all of :data:`COLUMNS`.
    """

    def __init__(self, rows: list[dict[str, str]]) -> None:
        self._by_file = {_base_name(row["file"]): row for row in rows if row["file"]}
        self._by_listing = {row["listing_id"]: row for row in rows}

    def __len__(self) -> int:
        return len(self._by_listing)

    def find(self, origin: str, file: str | Path, listing_id: str | None) -> Shop | None:
        """Return the shop of a recorded file: by its base name (``.gz`` or not), else by ``listing_id``."""
        row = self._by_file.get(_base_name(file)) or self._by_listing.get(listing_id or "")
        return None if row is None else _shop(origin, row)


def read_shops(path: str | Path) -> ShopTable:
    """Return the table of shops in the CSV file at ``path``.

    Raises:
        BadInput: the file cannot be read, a column is missing, or a row is broken (with its line).
    """
    try:
        with open(path, encoding="utf-8-sig", newline="") as file:
            return ShopTable(_rows(csv.DictReader(file, strict=True), path))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise BadInput(f"cannot read the table of shops {path}: {error}") from error


def _rows(reader: csv.DictReader[str], path: str | Path) -> list[dict[str, str]]:
    missing = [column for column in COLUMNS if column not in (reader.fieldnames or ())]
    if missing:
        raise BadInput(f"{path} line 1: no column {', '.join(missing)}")
    rows: list[dict[str, str]] = []
    for cells in reader:
        if len(rows) == MAX_ROWS:
            raise BadInput(f"{path} line {reader.line_num}: more than {MAX_ROWS} rows")
        try:
            rows.append(_checked(cells))
        except ValueError as error:
            raise BadInput(f"{path} line {reader.line_num}: {error}") from None
    return rows


def _checked(cells: dict[str, str]) -> dict[str, str]:
    if None in cells or None in cells.values():
        raise ValueError("another number of cells than columns")
    row = {column: cells[column].strip() for column in COLUMNS}
    if not row["listing_id"]:
        raise ValueError("no listing_id")
    if row["position"] not in _POSITIONS:
        raise ValueError(f"position is {row['position'][:20]!r} (expected exact, city or nothing)")
    if bool(row["lat"]) != bool(row["lon"]):
        raise ValueError("lat without lon, or lon without lat")
    _degrees(row["lat"], 90)
    _degrees(row["lon"], 180)
    return row


def _degrees(text: str, limit: int) -> float | None:
    if not text:
        return None
    try:
        value = float(text)
    except ValueError:
        raise ValueError(f"no number of degrees: {text[:20]!r}") from None
    if not math.isfinite(value) or abs(value) > limit:
        raise ValueError(f"no number of degrees within {limit}: {text[:20]!r}")
    return value


def _shop(origin: str, row: dict[str, str]) -> Shop:
    return Shop(
        key=str(RecordKey(DataType.DISPENSARY_INFO, origin, row["listing_id"])),
        origin=origin,
        id=row["listing_id"],
        name=row["name"] or row["slug"] or row["listing_id"],
        slug=row["slug"] or None,
        city=row["city"] or None,
        state=row["state"] or None,
        lat=_degrees(row["lat"], 90),
        lon=_degrees(row["lon"], 180),
        position=_POSITIONS[row["position"]],
    )


def _base_name(file: str | Path) -> str:
    return Path(file).name.removesuffix(".gz")
