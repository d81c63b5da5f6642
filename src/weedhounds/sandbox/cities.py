"""The cities of the market: real centres and time zones, invented numbers of shops.

Only the shops of Denver lie within 40 km of its centre: those of the other Colorado cities are
kept beyond, so that a hunt of 40 km around Denver asks a known number of shops.
"""

from __future__ import annotations

import msgspec


class City(msgspec.Struct, frozen=True, kw_only=True):
    """A city and how many shops it has.

    Args:
        lat, lon: degrees of its centre.
        zone: IANA time zone.
        area: telephone area code; ``zip3`` the first three digits of its ZIP codes.
        shops: how many; exact for ``fixed`` cities, else varied by the seed by 15 % at most.
        spread_km: standard deviation of the shops' distance; none lies beyond ``reach_km``.
        licence: how licence numbers look; ``{}`` is the number.
        med_frac: share of the shops that sell to patients too.
        price: level of prices; 1 is the mean of the market.
    """

    name: str
    state: str
    lat: float
    lon: float
    zone: str
    area: str
    zip3: str
    shops: int
    spread_km: float
    reach_km: float
    licence: str
    med_frac: float
    price: float
    fixed: bool = False


CITIES: tuple[City, ...] = (
    City(name="Denver", state="CO", lat=39.7392, lon=-104.9847, zone="America/Denver", area="303", zip3="802",
         shops=40, spread_km=9, reach_km=30, licence="402R-{:05d}", med_frac=0.6, price=0.9, fixed=True),
    City(name="Longmont", state="CO", lat=40.1672, lon=-105.1019, zone="America/Denver", area="720", zip3="805",
         shops=6, spread_km=1.2, reach_km=2.5, licence="402R-{:05d}", med_frac=0.5, price=0.92, fixed=True),
    City(name="Fort Collins", state="CO", lat=40.5853, lon=-105.0844, zone="America/Denver", area="970", zip3="805",
         shops=9, spread_km=4, reach_km=10, licence="402R-{:05d}", med_frac=0.5, price=0.92),
    City(name="Colorado Springs", state="CO", lat=38.8339, lon=-104.8214, zone="America/Denver", area="719",
         zip3="809", shops=16, spread_km=6, reach_km=18, licence="402-{:05d}", med_frac=0.9, price=0.94),
    City(name="Albuquerque", state="NM", lat=35.0845, lon=-106.6511, zone="America/Denver", area="505", zip3="871",
         shops=28, spread_km=7, reach_km=22, licence="CCD-2022-{:04d}", med_frac=0.8, price=0.85),
    City(name="Phoenix", state="AZ", lat=33.4484, lon=-112.0740, zone="America/Phoenix", area="602", zip3="850",
         shops=34, spread_km=12, reach_km=36, licence="000000{:03d}ESXY", med_frac=0.9, price=0.95),
    City(name="Los Angeles", state="CA", lat=34.0522, lon=-118.2437, zone="America/Los_Angeles", area="213",
         zip3="900", shops=52, spread_km=14, reach_km=38, licence="C10-{:07d}-LIC", med_frac=0.7, price=1.05),
    City(name="San Francisco", state="CA", lat=37.7749, lon=-122.4194, zone="America/Los_Angeles", area="415",
         zip3="941", shops=18, spread_km=4, reach_km=9, licence="C10-{:07d}-LIC", med_frac=0.7, price=1.15),
    City(name="Oakland", state="CA", lat=37.8044, lon=-122.2708, zone="America/Los_Angeles", area="510", zip3="946",
         shops=12, spread_km=4, reach_km=9, licence="C10-{:07d}-LIC", med_frac=0.7, price=1.05),
    City(name="Portland", state="OR", lat=45.5235, lon=-122.6762, zone="America/Los_Angeles", area="503", zip3="972",
         shops=34, spread_km=8, reach_km=24, licence="050-{:07d}", med_frac=0.4, price=0.7),
    City(name="Seattle", state="WA", lat=47.6062, lon=-122.3321, zone="America/Los_Angeles", area="206", zip3="981",
         shops=36, spread_km=9, reach_km=26, licence="4{:05d}", med_frac=0.3, price=0.8),
    City(name="Chicago", state="IL", lat=41.8500, lon=-87.6501, zone="America/Chicago", area="312", zip3="606",
         shops=30, spread_km=10, reach_km=30, licence="284.{:06d}-AUDO", med_frac=0.4, price=1.4),
    City(name="Boston", state="MA", lat=42.3584, lon=-71.0598, zone="America/New_York", area="617", zip3="021",
         shops=18, spread_km=8, reach_km=24, licence="MR28{:04d}", med_frac=0.4, price=1.2),
    City(name="New York", state="NY", lat=40.7143, lon=-74.0060, zone="America/New_York", area="212", zip3="100",
         shops=26, spread_km=9, reach_km=28, licence="OCM-CAURD-24-{:06d}", med_frac=0.2, price=1.35),
    City(name="Hartford", state="CT", lat=41.7637, lon=-72.6851, zone="America/New_York", area="860", zip3="061",
         shops=8, spread_km=6, reach_km=18, licence="ACRE.{:07d}", med_frac=0.6, price=1.3),
    City(name="Detroit", state="MI", lat=42.3314, lon=-83.0458, zone="America/Detroit", area="313", zip3="482",
         shops=14, spread_km=9, reach_km=26, licence="AU-R-{:06d}", med_frac=0.5, price=0.75),
)  # fmt: skip
