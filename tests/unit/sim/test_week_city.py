"""Which zone a place lies in, and what is drawn for a city."""

from __future__ import annotations

import pytest

from weedhounds.errors import BadInput
from weedhounds.query.answer import Place
from weedhounds.sim.specs import STANDARD
from weedhounds.sim.trace import DAY_S
from weedhounds.sim.week_city import MAX_REQUESTS, city_week, counted_from, draw_city, spec_of_city, zone_of

DENVER = Place(name="Denver, CO", lat=39.74, lon=-104.98)


@pytest.mark.parametrize(
    ("name", "zone", "hours"),
    [
        ("Denver, CO", "America/Denver", -7.0),
        ("Dallas, TX", "America/Chicago", -6.0),
        ("Hartford, CT 06103", "America/New_York", -5.0),
        ("Phoenix, AZ", "America/Phoenix", -7.0),
        ("Honolulu, HI", "Pacific/Honolulu", -10.0),
        ("St. John's, NL", "America/St_Johns", -3.5),
    ],
)
def test_a_place_lies_in_the_zone_of_its_state(name: str, zone: str, hours: float) -> None:
    place = Place(name=name, lat=40.0, lon=-100.0)
    assert zone_of(place) == zone
    assert city_week(place).offset_s == 3600.0 * hours


def test_a_bare_point_takes_the_hours_of_its_longitude() -> None:
    city = city_week(Place(name="39.74,-104.98", lat=39.74, lon=-104.98))
    assert (city.zone, city.offset_s) == ("Etc/GMT+7", -7 * 3600.0)


@pytest.mark.parametrize(
    "fields",
    [
        {"shops": 0},
        {"shops": 1_000_000},
        {"requests_per_day": 0.0},
        {"requests_per_day": float("nan")},
        {"requests_per_day": float("inf")},
        {"requests_per_day": MAX_REQUESTS},
        {"weeks": 0},
        {"warmup_weeks": -1},
        {"weeks": 8},
    ],
)
def test_what_cannot_be_simulated_is_refused(fields: dict[str, int]) -> None:
    with pytest.raises(BadInput):
        city_week(DENVER, **fields)


def test_a_city_is_the_standard_world_with_its_own_shops_zone_days_and_demand() -> None:
    spec = spec_of_city(city_week(DENVER, shops=7, requests_per_day=123.0, weeks=2))
    assert (spec.stores, spec.requests_per_day, spec.zones_s, spec.days) == (7, 123.0, (-7 * 3600.0,), 21)
    assert spec.changes_per_day == STANDARD.changes_per_day
    assert spec.store_zipf == STANDARD.store_zipf == 0.9


def test_the_same_seed_draws_the_same_city_and_another_seed_another() -> None:
    first, again, other = (
        draw_city(city_week(DENVER, shops=1, requests_per_day=50.0, seed=seed)) for seed in (1, 1, 2)
    )
    assert first.trace.request_times == again.trace.request_times
    assert first.trace.changes == again.trace.changes
    assert first.trace.request_times != other.trace.request_times


def test_the_warm_up_is_whole_weeks_from_the_worlds_first_day() -> None:
    city = city_week(DENVER, shops=1, requests_per_day=50.0, warmup_weeks=2)
    assert counted_from(draw_city(city), city) == STANDARD.start + 14 * DAY_S
