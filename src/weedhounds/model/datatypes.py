"""The eight data types and the lifetimes that each starts from."""

from __future__ import annotations

from enum import StrEnum

import msgspec

_MIN = 60.0
_HOUR = 3600.0
_DAY = 86400.0


class DataType(StrEnum):
    """What kind of fact an entry holds; the first part of every record key."""

    STRAIN_DATA = "strain_data"
    DISPENSARY_MENU = "dispensary_menu"
    PRODUCT_PRICING = "product_pricing"
    TERPENE_PROFILES = "terpene_profiles"
    LAB_RESULTS = "lab_results"
    DISPENSARY_INFO = "dispensary_info"
    ANALYTICS_DATA = "analytics_data"
    PROMOTIONS = "promotions"


class Lifetime(msgspec.Struct, frozen=True):
    """Base, least and greatest freshness lifetime of a data type, seconds."""

    base_s: float
    min_s: float
    max_s: float


LIFETIMES: dict[DataType, Lifetime] = {
    DataType.STRAIN_DATA: Lifetime(365 * _DAY, 30 * _DAY, 730 * _DAY),
    DataType.DISPENSARY_MENU: Lifetime(_HOUR, 5 * _MIN, 4 * _HOUR),
    DataType.PRODUCT_PRICING: Lifetime(10 * _MIN, _MIN, 30 * _MIN),
    DataType.TERPENE_PROFILES: Lifetime(180 * _DAY, 7 * _DAY, 365 * _DAY),
    DataType.LAB_RESULTS: Lifetime(365 * _DAY, 30 * _DAY, 3 * 365 * _DAY),
    DataType.DISPENSARY_INFO: Lifetime(7 * _DAY, _DAY, 30 * _DAY),
    DataType.ANALYTICS_DATA: Lifetime(24 * _HOUR, _HOUR, 7 * _DAY),
    DataType.PROMOTIONS: Lifetime(30 * _MIN, 5 * _MIN, _HOUR),
}
