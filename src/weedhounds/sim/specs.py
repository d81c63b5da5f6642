"""What the simulated worlds are made of: the standard world, and others that differ from it in one thing each.

The standard world is that of the lifetime model (``docs/ttl-judging.md`` describes it).
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

import msgspec

from weedhounds.errors import BadInput
from weedhounds.model.datatypes import DataType
from weedhounds.sim.profiles import Profile

_HOUR_S = 3600.0
_US_ZONES = tuple(-h * _HOUR_S for h in (5, 6, 7, 8))

SHOP_TYPES: dict[DataType, str] = {
    DataType.DISPENSARY_MENU: "menu",
    DataType.PRODUCT_PRICING: "price",
    DataType.PROMOTIONS: "promo",
    DataType.ANALYTICS_DATA: "stats",
    DataType.DISPENSARY_INFO: "info",
    DataType.LAB_RESULTS: "lab",
}
"""Types that belong to a store, and how their keys begin."""
REFERENCE_TYPES: dict[DataType, str] = {DataType.STRAIN_DATA: "strain", DataType.TERPENE_PROFILES: "terpen"}
"""Types that belong to the reference data."""


REQUEST_SHARES: Mapping[DataType, float] = MappingProxyType(
    {
        DataType.DISPENSARY_MENU: 0.30,
        DataType.PRODUCT_PRICING: 0.36,
        DataType.PROMOTIONS: 0.10,
        DataType.DISPENSARY_INFO: 0.06,
        DataType.LAB_RESULTS: 0.05,
        DataType.ANALYTICS_DATA: 0.02,
        DataType.STRAIN_DATA: 0.07,
        DataType.TERPENE_PROFILES: 0.04,
    }
)
CHANGES_PER_DAY: Mapping[DataType, float] = MappingProxyType(
    {
        DataType.DISPENSARY_MENU: 14.0,
        DataType.PRODUCT_PRICING: 0.6,
        DataType.PROMOTIONS: 0.5,
        DataType.DISPENSARY_INFO: 1 / 45,
        DataType.STRAIN_DATA: 1 / 200,
        DataType.TERPENE_PROFILES: 1 / 120,
        DataType.LAB_RESULTS: 1 / 365,
    }
)
PROFILES: Mapping[DataType, Profile] = MappingProxyType(
    {
        DataType.DISPENSARY_MENU: Profile((11.0, 15.0, 19.0), 2.2, 0.06, 1.2, 0.7),
        DataType.PRODUCT_PRICING: Profile((9.5, 16.0), 1.5, 0.08, 0.6, 0.4),
        DataType.DISPENSARY_INFO: Profile((10.0, 14.0), 2.5, 0.1, 0.3, 0.2),
    }
)


class Job(msgspec.Struct, frozen=True, kw_only=True):
    """A scheduled change: each store draws one of the hours and one of the minutes, local time.

    Args:
        weekdays: on how many days of the week, drawn for each store.
        probability: that it happens on such a day.
        within_s: it happens at a random moment of so many seconds from then on.
    """

    dtype: DataType
    hours: tuple[int, ...]
    minutes: tuple[int, ...] = (0,)
    weekdays: int = 7
    probability: float = 1.0
    within_s: float = 600.0


class Bursts(msgspec.Struct, frozen=True, kw_only=True):
    """Menu changes that start a burst: so many more changes, so far apart on average."""

    probability: float = 0.06
    changes: float = 5.0
    gap_s: float = 240.0


class Repricings(msgspec.Struct, frozen=True, kw_only=True):
    """A store changes the prices of a share of its products at one moment."""

    per_day: float = 0.15
    share: float = 0.4


class Drift(msgspec.Struct, frozen=True, kw_only=True):
    """Keys that change their rate for good, once or several times.

    Args:
        share: of the keys.
        factors: one of them is drawn each time; they multiply up.
        since: share of the days after which the first change of rate may come; ``until``: the last.
        times: how often.
    """

    share: float = 0.1
    factors: tuple[float, ...] = (0.2, 5.0)
    since: float = 0.3
    until: float = 0.7
    times: int = 1


class Outages(msgspec.Struct, frozen=True, kw_only=True):
    """Times when a source answers nothing."""

    per_day: float = 0.0
    mean_s: float = 2 * _HOUR_S


class Spec(msgspec.Struct, frozen=True, kw_only=True):
    """A kind of world.

    Args:
        changes_per_day: mean Poisson changes a day of a key, by type.
        sigma: each key's rate is drawn as lognormal of mean 1 and this sigma, times the type's mean.
        store_zipf: popularity of the stores; ``product_zipf``: of a store's products;
            ``reference_zipf``: of strains and of terpene profiles.
        request_shares: of the types; they sum to 1.
        profiles: of the changes, by type; a type that is not named changes at all hours alike.
    """

    days: int = 28
    start: float = 1_736_121_600.0  # Monday, 6 January 2025, 00:00 UTC
    zones_s: tuple[float, ...] = _US_ZONES
    reference_zone_s: float = -7 * _HOUR_S
    stores: int = 12
    products: int = 8
    labs: int = 3
    strains: int = 50
    terpenes: int = 50
    requests_per_day: float = 6_500.0
    store_zipf: float = 0.9
    product_zipf: float = 0.8
    reference_zipf: float = 1.0
    sigma: float = 1.0
    request_shares: Mapping[DataType, float] = REQUEST_SHARES
    changes_per_day: Mapping[DataType, float] = CHANGES_PER_DAY
    profiles: Mapping[DataType, Profile] = PROFILES
    demand: Profile = Profile((12.5, 18.5), 2.6, 0.12, 1.4, 1.2)
    jobs: tuple[Job, ...] = (
        Job(dtype=DataType.PROMOTIONS, hours=(0, 8, 9, 10), minutes=(0, 30), probability=0.85, within_s=360.0),
        Job(dtype=DataType.ANALYTICS_DATA, hours=(3,), within_s=1200.0),
    )
    bursts: Bursts = Bursts()
    repricings: Repricings = Repricings()
    drift: Drift = Drift()
    outages: Outages = Outages()


STANDARD = Spec()


def _changed(**fields: object) -> Spec:
    return msgspec.structs.replace(STANDARD, **fields)


def _times(factor: float) -> dict[DataType, float]:
    return {data_type: factor * rate for data_type, rate in STANDARD.changes_per_day.items()}


_NIGHT = Profile((1.0, 22.0), 2.5, 0.05, 1.5, 1.2)
_MONDAYS = Profile((8.0,), 1.0, 0.02, 0.1, 0.0)

KINDS: dict[str, Spec] = {
    "standard": STANDARD,
    "fast": _changed(changes_per_day=_times(4.0)),
    "slow": _changed(changes_per_day=_times(0.25)),
    "busy": _changed(requests_per_day=20_000.0),
    "quiet": _changed(requests_per_day=1_200.0),
    "flat": _changed(profiles={}, demand=Profile()),
    "nights": _changed(profiles=dict.fromkeys(STANDARD.profiles, _NIGHT), demand=_NIGHT),
    "mornings": _changed(profiles=dict.fromkeys(STANDARD.profiles, _MONDAYS)),
    "zones": _changed(zones_s=tuple(h * _HOUR_S for h in (-10.0, -3.5, 0.0, 1.0, 5.75, 9.5, 13.0))),
    "jobs": _changed(
        jobs=(
            Job(dtype=DataType.PROMOTIONS, hours=(7, 16, 17), minutes=(0, 20), weekdays=2, within_s=120.0),
            Job(dtype=DataType.ANALYTICS_DATA, hours=(1, 5), minutes=(0, 15, 45), probability=0.9, within_s=300.0),
            Job(dtype=DataType.PRODUCT_PRICING, hours=(6, 9, 22), minutes=(0, 10), probability=0.5, within_s=240.0),
            Job(dtype=DataType.DISPENSARY_MENU, hours=(8, 10), minutes=(0, 30), probability=0.95, within_s=600.0),
        )
    ),
    "drift": _changed(drift=Drift(share=0.5, factors=(0.1, 0.3, 3.0, 10.0), since=0.2, until=0.9, times=2)),
    "spread": _changed(sigma=1.8),
    "bursts": _changed(
        bursts=Bursts(probability=0.4, changes=8.0, gap_s=120.0), repricings=Repricings(per_day=1.0, share=0.9)
    ),
    "outages": _changed(outages=Outages(per_day=0.5, mean_s=4 * _HOUR_S)),
}
"""The kinds of worlds by name: each differs from the standard world in what its name says."""


def spec_of(kind: str) -> Spec:
    """Return the spec of a kind of world.

    Raises:
        BadInput: there is no such kind.
    """
    try:
        return KINDS[kind]
    except KeyError:
        raise BadInput(f"no kind of world is called {kind!r}; there are {', '.join(KINDS)}") from None
