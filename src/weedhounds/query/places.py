"""From a place's name to a point: cities, ZIP codes and ``lat,lon``, without a network."""

from __future__ import annotations

import re
from collections.abc import Iterator
from importlib.resources import files

import h3
import zstandard

from weedhounds.errors import BadInput
from weedhounds.model.keys import NEAR_RESOLUTION
from weedhounds.model.names import slugify
from weedhounds.query.answer import Place
from weedhounds.sources.places import distance_km

_LATLON = re.compile(r"\s*(-?\d{1,2}(?:\.\d+)?)\s*,\s*(-?\d{1,3}(?:\.\d+)?)\s*")
_ZIP = re.compile(r"\s*(\d{5})(?:-\d{4})?\s*")
_MAX_PLACE_CHARS = 100
_MAX_TABLE_BYTES = 16 * 2**20
_STATES = {
    "alabama": "AL", "alaska": "AK", "arizona": "AZ", "arkansas": "AR", "california": "CA", "colorado": "CO",
    "connecticut": "CT", "delaware": "DE", "district-of-columbia": "DC", "florida": "FL", "georgia": "GA",
    "hawaii": "HI", "idaho": "ID", "illinois": "IL", "indiana": "IN", "iowa": "IA", "kansas": "KS", "kentucky": "KY",
    "louisiana": "LA", "maine": "ME", "maryland": "MD", "massachusetts": "MA", "michigan": "MI", "minnesota": "MN",
    "mississippi": "MS", "missouri": "MO", "montana": "MT", "nebraska": "NE", "nevada": "NV", "new-hampshire": "NH",
    "new-jersey": "NJ", "new-mexico": "NM", "new-york": "NY", "north-carolina": "NC", "north-dakota": "ND",
    "ohio": "OH", "oklahoma": "OK", "oregon": "OR", "pennsylvania": "PA", "rhode-island": "RI",
    "south-carolina": "SC", "south-dakota": "SD", "tennessee": "TN", "texas": "TX", "utah": "UT", "vermont": "VT",
    "virginia": "VA", "washington": "WA", "west-virginia": "WV", "wisconsin": "WI", "wyoming": "WY",
    "alberta": "AB", "british-columbia": "BC", "manitoba": "MB", "new-brunswick": "NB", "nova-scotia": "NS",
    "newfoundland-and-labrador": "NL", "ontario": "ON", "prince-edward-island": "PE", "quebec": "QC",
    "saskatchewan": "SK", "yukon": "YT", "northwest-territories": "NT", "nunavut": "NU",
}  # fmt: skip


class Gazetteer:
    """Cities of the United States and Canada (over 15,000 people) and every US ZIP code.

    Smaller US towns are found through their ZIP codes. The tables stay text, 2 MB, and are searched
    as text: a question takes well under a millisecond.

    Source: GeoNames (CC-BY-4.0) and US ZIP codes, written by ``scripts/make-gazetteer``.
    """

    def __init__(self, cities: bytes, zips: bytes) -> None:
        self._cities = cities
        self._zips = zips

    @classmethod
    def load(cls) -> Gazetteer:
        """Read the tables that come with the package (about 10 ms)."""
        return cls(_table("cities.tsv.zst"), _table("zips.tsv.zst"))

    def resolve(self, text: str) -> Place:
        """Return the point that ``text`` names.

        Args:
            text: ``"Denver, CO"``, ``"Denver, Colorado"``, ``"Denver"`` (the most populous one), a ZIP
                code, or ``"39.74,-104.98"``.

        Raises:
            BadInput: no such place.
        """
        if len(text) > _MAX_PLACE_CHARS:
            raise BadInput(f"a place has at most {_MAX_PLACE_CHARS} characters")
        found = self._point(text) or self._zip(text) or self._city(text)
        if found is None:
            raise BadInput(f'unknown place {text!r}: give a city ("Denver, CO"), a ZIP code or "lat,lon"')
        return found

    def _point(self, text: str) -> Place | None:
        match = _LATLON.fullmatch(text)
        if not match:
            return None
        lat, lon = float(match[1]), float(match[2])
        if abs(lat) > 90 or abs(lon) > 180:
            raise BadInput(f"no such point: {text!r} (latitude is -90..90, longitude -180..180)")
        return Place(name=f"{lat:g},{lon:g}", lat=lat, lon=lon)

    def _zip(self, text: str) -> Place | None:
        match = _ZIP.fullmatch(text)
        if not match:
            return None
        for _, lat, lon, _, state, town in _lines(self._zips, f"\n{match[1]}\t"):
            return Place(name=f"{town}, {state} {match[1]}", lat=float(lat), lon=float(lon))
        raise BadInput(f"unknown ZIP code {match[1]}")

    def _city(self, text: str) -> Place | None:
        name, _, region = (part.strip() for part in text.partition(","))
        region = region.split(",")[0].strip()
        slug, code = slugify(name), _STATES.get(slugify(region), region.upper())
        for _, _, given, lat, lon in _lines(self._cities, f"\n{slug}\t{code}\t"):
            return Place(name=given, lat=float(lat), lon=float(lon))
        return self._town(slug, code) if slug and code else None

    def _town(self, slug: str, state: str) -> Place | None:
        """Find a US town by its ZIP codes: the mean of their positions."""
        rows = list(_lines(self._zips, f"\t{slug}\t{state}\t"))
        if not rows:
            return None
        lat = sum(float(row[1]) for row in rows) / len(rows)
        lon = sum(float(row[2]) for row in rows) / len(rows)
        return Place(name=f"{rows[0][5]}, {state}", lat=round(lat, 5), lon=round(lon, 5))


def _table(name: str) -> bytes:
    packed = (files("weedhounds.query") / "gazetteer" / name).read_bytes()
    return zstandard.ZstdDecompressor().decompress(packed, max_output_size=_MAX_TABLE_BYTES)


def _lines(table: bytes, wanted: str) -> Iterator[list[str]]:
    """Yield the fields of each line in which ``wanted`` (with its tabs and newlines) stands."""
    sought = wanted.encode()
    at = table.find(sought)
    while at >= 0:
        start = at + 1 if sought.startswith(b"\n") else table.rfind(b"\n", 0, at) + 1
        end = table.index(b"\n", start)
        yield table[start:end].decode().split("\t")
        at = table.find(sought, end)


def cells_within(place: Place, radius_km: float) -> list[str]:
    """Return the search cells (H3, resolution 5) that a circle around ``place`` may touch, sorted.

    Args:
        radius_km: kilometres, >= 0.

    Bounds: about ``pi r^2 / 250 + r`` cells: 30 at 40 km, 4,000 at 500 km.
    """
    centre = h3.latlng_to_cell(place.lat, place.lon, NEAR_RESOLUTION)
    edge_km = max(distance_km(*h3.cell_to_latlng(centre), *corner) for corner in h3.cell_to_boundary(centre)) * 1.1
    rings = int(radius_km / edge_km) + 2
    return sorted(
        cell
        for cell in h3.grid_disk(centre, rings)
        if distance_km(place.lat, place.lon, *h3.cell_to_latlng(cell)) <= radius_km + edge_km
    )
